import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import type { Machine } from '../machine.ts';
import type { MachineControl } from './control.ts';
import { requireControlPlane } from './etcd-calls.ts';
import type { MachineService } from './generated/machine/machine_pb.ts';

type Calls = Pick<
  ServiceImpl<typeof MachineService>,
  'serviceList' | 'serviceRestart' | 'serviceStart' | 'serviceStop'
>;

type Operation = 'start' | 'stop' | 'restart';

/**
 * Talos' own services. Talos lets only the kubelet be started and restarted by a client; the lab also restarts etcd and
 * stops the kubelet, as those who rehearse an outage ask for it.
 */
export function serviceCalls(machine: Machine, control: MachineControl): Calls {
  const operate = async (id: string, operation: Operation): Promise<void> => {
    const service = machine.services.get(id);
    if (service === undefined) throw new ConnectError(`service "${id}" not defined`, Code.Unknown);
    const running = service.state === 'Running';
    if ((operation === 'start' && running) || (operation === 'stop' && !running)) return;
    if (id === 'kubelet') {
      if (operation === 'stop') return control.stopKubelet();
      return operation === 'start' || !running ? control.startKubelet() : control.restartKubelet();
    }
    if (id === 'etcd' && operation === 'restart') {
      requireControlPlane(machine, 'etcd');
      return control.restartEtcd();
    }
    throw new ConnectError(`service "${id}" doesn't support ${operation} operation via API`, Code.Unknown);
  };

  return {
    serviceList: () => ({
      messages: [
        {
          services: [...machine.services.values()]
            .toSorted((a, b) => (a.id < b.id ? -1 : 1))
            .map((service) => ({
              id: service.id,
              state: service.state,
              events: {
                events: service.events.map(({ message, state, at }) => ({
                  msg: message,
                  state,
                  ts: timestampFromDate(at),
                })),
              },
              health: {
                unknown: service.healthy === undefined,
                healthy: service.healthy === true,
                lastMessage: service.healthy === false ? (service.events.at(-1)?.message ?? '') : '',
                lastChange: timestampFromDate(service.lastChange),
              },
            })),
        },
      ],
    }),
    async serviceStart({ id }) {
      await operate(id, 'start');
      return { messages: [{ resp: `Service "${id}" started` }] };
    },
    async serviceStop({ id }) {
      await operate(id, 'stop');
      return { messages: [{ resp: `Service "${id}" stopped` }] };
    },
    async serviceRestart({ id }) {
      await operate(id, 'restart');
      return { messages: [{ resp: `Service "${id}" restarted` }] };
    },
  };
}
