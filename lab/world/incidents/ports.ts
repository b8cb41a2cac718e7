import type { Clock } from '../../../src/base/clock.ts';
import type { FaultReport } from '../../faults/types.ts';
import type { LabInfo } from '../info.ts';
import type { Machine } from '../machines.ts';

/** The world as an incident handles it: as its user does, and where that is a fault, by the catalogue. */
export interface IncidentPorts {
  readonly clock: Clock;
  readonly speed: number;
  readonly info: () => LabInfo;
  readonly machines: () => readonly Machine[];
  readonly setFault: (kind: string, parameters: Readonly<Record<string, unknown>>) => Promise<FaultReport>;
  readonly operate: (node: string, verb: string) => Promise<unknown>;
  /** Config of a role, out of the provisioner's folder as it is now. */
  readonly render: (role: 'control-plane' | 'worker') => Promise<string>;
  /** Root of the cloud's API, as this process reaches it. */
  readonly cloudUrl: () => string;
}

export interface CloudAnswer {
  readonly status: number;
  readonly text: string;
}

/** A call to the cloud with the user's token, as a person types it. */
export async function callCloud(
  ports: IncidentPorts,
  method: string,
  path: string,
  body?: unknown,
): Promise<CloudAnswer> {
  const response = await fetch(`${ports.cloudUrl()}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${ports.info().hetzner.token}`,
      'user-agent': 'operator',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text() };
}
