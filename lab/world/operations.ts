import { readFile } from 'node:fs/promises';
import type { Clock } from '../../src/base/clock.ts';
import { EXIT, Failure, textOf } from '../../src/base/failure.ts';
import type { Cloud } from '../cloud/types.ts';
import { createEtcdClient } from '../kubernetes/etcd/client.ts';
import type { EtcdClient } from '../kubernetes/etcd/types.ts';
import type { CloudCalls } from './cloud-calls.ts';
import type { Machine, Machines } from './machines.ts';

export interface OperationPorts {
  readonly clock: Clock;
  readonly speed: number;
  readonly machines: Machines;
  readonly cloud: Cloud;
  readonly calls: CloudCalls;
  /** The machine config a new node of this role gets, out of the provisioner's folder, read anew. */
  readonly render: (role: 'control-plane' | 'worker') => Promise<string>;
}

const READY_MS = 180_000;

/** What `lab node …` does to one node: the very calls a person would make to the cloud, and waiting for what follows. */
export function createOperations(
  ports: OperationPorts,
): (name: string, verb: string) => Promise<Record<string, unknown>> {
  const find = (name: string): Machine => {
    const machine = ports.machines.byName(name);
    if (machine !== undefined) return machine;
    throw new Failure({
      code: 'lab-node-unknown',
      exit: EXIT.usage,
      what: `There is no node ${name}`,
      why: `this lab has ${ports.machines
        .all()
        .map((m) => m.server.name)
        .join(', ')}`,
      state: 'Nothing was changed.',
      next: 'See `fairlead lab node list`.',
    });
  };

  const remove = async (name: string): Promise<{ serverId: number }> => {
    const { server } = find(name);
    await ports.calls.deleteServer(server.id);
    return { serverId: server.id };
  };

  const recreate = async (name: string): Promise<{ serverId: number }> => {
    const was = ports.machines.gone.get(name);
    if (was === undefined) {
      throw new Failure({
        code: 'lab-node-exists',
        exit: EXIT.usage,
        what: `${name} cannot be recreated`,
        why: ports.machines.byName(name) === undefined ? 'this lab never had it' : 'it still exists',
        state: 'Nothing was changed.',
        next: `\`fairlead lab node replace ${name}\` deletes and recreates in one go.`,
      });
    }
    const created = await ports.calls.createServer({
      name,
      server_type: 'cx33',
      image: 'debian-12',
      location: was.location,
      labels: was.labels,
      networks: await ports.calls.networks(),
      user_data: await ports.render(was.role),
    });
    return { serverId: created.id };
  };

  const untilReady = async (name: string): Promise<void> => {
    const deadline = ports.clock.now() + READY_MS;
    while (ports.machines.byName(name)?.node.info().ready !== true) {
      if (ports.clock.now() > deadline) {
        const info = ports.machines.byName(name)?.node.info();
        throw new Failure({
          code: 'lab-not-ready',
          what: `${name} did not become ready`,
          why: `its stage is ${info?.stage ?? 'unknown'} after ${READY_MS / 1000} s`,
          state: 'The server exists; the lab runs on.',
          next: info === undefined ? 'See `fairlead lab info`.' : `Read ${info.log}.`,
        });
      }
      await ports.clock.sleep(50);
    }
  };

  return async (name, verb) => {
    switch (verb) {
      case 'power-off':
      case 'power-on':
      case 'reboot': {
        const { server } = find(name);
        await ports.calls.act(
          server.id,
          verb === 'power-off' ? 'poweroff' : verb === 'power-on' ? 'poweron' : 'reboot',
        );
        if (verb !== 'power-off') await untilReady(name);
        return { node: name, serverId: server.id };
      }
      case 'delete':
        return { node: name, ...(await remove(name)) };
      case 'recreate': {
        const created = await recreate(name);
        await untilReady(name);
        return { node: name, ...created };
      }
      case 'replace': {
        const old = find(name);
        const role = old.node.role;
        const before = await remove(name);
        // First: a machine that comes back under a name etcd still lists could take that member for its own.
        if (role === 'control-plane') await removeMember(ports, name);
        const after = await recreate(name);
        await untilReady(name);
        return { node: name, oldServerId: before.serverId, newServerId: after.serverId };
      }
      default:
        throw new Failure({
          code: 'lab-verb',
          exit: EXIT.usage,
          what: `${verb} is nothing a node can be told`,
          why: 'known: delete, recreate, replace, power-off, power-on, reboot',
          state: 'Nothing was changed.',
          next: 'See `fairlead lab node --help`.',
        });
    }
  };
}

/** Removes the etcd member of a machine that is no more, through a member that is; patient while etcd says no. */
async function removeMember(ports: OperationPorts, name: string): Promise<void> {
  const deadline = ports.clock.now() + 30_000;
  let last: unknown;
  while (ports.clock.now() < deadline) {
    for (const machine of ports.machines.all()) {
      const etcd = machine.node.info().etcd;
      if (etcd === undefined || machine.host.condition !== 'up') continue;
      let client: EtcdClient | undefined;
      try {
        const [ca, cert, key] = await Promise.all([etcd.ca, etcd.cert, etcd.key].map((f) => readFile(f, 'utf8')));
        client = createEtcdClient({
          endpoint: etcd.endpoint,
          tls: { ca: ca ?? '', cert: cert ?? '', key: key ?? '' },
          // A change that is asked for while there is no leader hangs: better to ask again.
          timeoutMs: 1_000,
        });
        const member = (await client.members()).find((m) => m.name === name);
        if (member === undefined) return;
        await client.memberRemove(member.id);
        return;
      } catch (error) {
        last = error;
      } finally {
        client?.close();
      }
    }
    await ports.clock.sleep(200);
  }
  throw new Failure({
    code: 'lab-member',
    what: `The etcd member of ${name} could not be removed`,
    why: textOf(last),
    state: `Server ${name} is deleted; its member is still in etcd's list.`,
    next: `Look at the members with etcdctl (see \`fairlead lab info\`), then \`fairlead lab node recreate ${name}\`.`,
  });
}
