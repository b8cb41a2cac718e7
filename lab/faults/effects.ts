import type { CloudEffects, CloudFloatingIP, CloudServer } from '../cloud/types.ts';
import { actionMatches } from './match.ts';
import type { Faults } from './registry.ts';
import type { Fault } from './types.ts';

type PowerEffect = 'powerOn' | 'powerOff' | 'shutdown' | 'reboot' | 'reset';

/** The cloud's effects on packets and machines, some of which do not happen while a fault says so. */
export function withFaults(
  effects: CloudEffects,
  faults: Faults,
  /** Name of the server an address leads to now; undefined = nowhere. */
  leadsTo: (ip: string) => string | undefined,
  /** Hears of servers that a fault keeps from being switched. */
  skipped: (fault: string) => Set<number>,
): CloudEffects {
  const stops = (command: string, server: string | undefined): Fault | undefined =>
    faults.take('action-without-effect', (scope) =>
      actionMatches(scope, { command, ...(server === undefined ? {} : { server }) }),
    );
  const power =
    (command: string, effect: PowerEffect) =>
    async (server: CloudServer): Promise<void> => {
      const fault = stops(command, server.name);
      if (fault === undefined) await effects[effect](server);
      else skipped(fault.id).add(server.id);
    };
  return {
    ...effects,
    powerOn: power('start_server', 'powerOn'),
    powerOff: power('stop_server', 'powerOff'),
    shutdown: power('shutdown_server', 'shutdown'),
    reboot: power('reboot_server', 'reboot'),
    reset: power('reset_server', 'reset'),
    async routed(address: CloudFloatingIP, server: CloudServer | undefined) {
      const held = faults.active('address-unrouted').find(({ parameters }) => parameters['address'] === address.ip);
      if (held !== undefined) {
        faults.hit(held);
        return;
      }
      const before = leadsTo(address.ip);
      // An address that leads nowhere and is led nowhere is no action of anybody.
      if (before === server?.name) return effects.routed(address, server);
      const command = server === undefined ? 'unassign_floating_ip' : 'assign_floating_ip';
      if (stops(command, server?.name ?? before) === undefined) await effects.routed(address, server);
    },
  };
}
