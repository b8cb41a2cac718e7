import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';
import { attribute } from '../../world/audit.ts';
import type { Machine } from '../machine.ts';
import { authorize, availableInMaintenance } from './roles.ts';
import { rolesIn, userAgentOf } from './context.ts';

/** Calls that change what is stored or what runs, when they succeed. */
const WRITES = new Set(
  (
    'ApplyConfiguration Bootstrap BlockDeviceWipe EtcdAlarmDisarm EtcdDefragment EtcdForfeitLeadership EtcdLeaveCluster ' +
    'EtcdRecover EtcdRemoveMemberByID ImagePull Import Install MetaDelete MetaWrite Pull Reboot Remove Reset Restart ' +
    'Rollback ServiceRestart ServiceStart ServiceStop Shutdown Upgrade'
  ).split(' '),
);

/** Checks the caller's role, then records the call when it has ended. */
export function createGate(machine: Machine): Interceptor {
  return (next) => async (request) => {
    const { clock, audit } = machine.ports;
    const began = clock.now();
    const method = request.method.name;
    const record = (code: number): void => {
      const message: unknown = request.stream ? undefined : request.message;
      audit.record({
        system: 'talos',
        method,
        path: `/${request.service.typeName}/${method}${subjectOf(message)}`,
        write: code === 0 && WRITES.has(method) && !isDryRun(message),
        status: code,
        ms: Math.round(clock.now() - began),
        by: attribute(userAgentOf(request.header)),
        node: machine.facts.hostname,
      });
    };
    try {
      const call = `${request.service.typeName}/${method}`;
      if (machine.active === undefined) availableInMaintenance(call, machine.ports.version);
      authorize(call, rolesIn(request.contextValues));
      const response = await next(request);
      if (!response.stream) {
        record(0);
        return response;
      }
      return { ...response, message: recorded(response.message, record) };
    } catch (error) {
      const failure = asStatus(error);
      record(failure.code);
      throw failure;
    }
  };
}

async function* recorded<T>(messages: AsyncIterable<T>, record: (code: number) => void): AsyncIterable<T> {
  let code: number = Code.Canceled;
  try {
    yield* messages;
    code = 0;
  } catch (error) {
    const failure = asStatus(error);
    code = failure.code;
    throw failure;
  } finally {
    record(code);
  }
}

/** What a handler threw without a status is the code Unknown, with its text, as Go's gRPC does it. */
const asStatus = (error: unknown): ConnectError =>
  error instanceof ConnectError
    ? error
    : new ConnectError(error instanceof Error ? error.message : String(error), Code.Unknown);

/** `/type/id` of a COSI call. */
function subjectOf(message: unknown): string {
  if (typeof message !== 'object' || message === null) return '';
  const { type, id } = message as { type?: unknown; id?: unknown };
  if (typeof type !== 'string' || type === '') return '';
  return typeof id === 'string' && id !== '' ? `/${type}/${id}` : `/${type}`;
}

const isDryRun = (message: unknown): boolean =>
  typeof message === 'object' && message !== null && (message as { dryRun?: unknown }).dryRun === true;
