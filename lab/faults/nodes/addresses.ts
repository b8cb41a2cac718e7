import type { Uptime } from '../../talos/life/uptime.ts';
import { hex, memberOf, withEtcd } from './etcd.ts';
import {
  addressOf,
  type Begin,
  controlPlanes,
  impossible,
  machineOf,
  type Patient,
  patientOf,
  uptimeOf,
} from './hands.ts';

/** Which machines have a floating IP on a link, whatever the cloud's record and the election say. */
export const addressClaimed: Begin = async (fault, hands) => {
  const { ip, server } = addressOf(fault, hands);
  const holders = hands.patients().filter((patient) => machineOf(patient).claims.has(ip));
  const by = fault.parameters['by'];
  const others = controlPlanes(hands).filter(
    (patient) => !holders.includes(patient) && machineOf(patient).facts.serverId !== server,
  );
  const named = fault.parameters['node'] === undefined ? others[0] : patientOf(fault, hands);
  const loses = by === 'two' ? [] : holders;
  const gains = by === 'nobody' ? [] : [named];
  const undone: (() => Promise<void>)[] = [];
  for (const patient of loses) undone.push(await drop(patient, ip));
  for (const patient of gains) {
    if (patient === undefined || holders.includes(patient))
      throw impossible('there is no other control plane to have it', 'Give --node NAME.');
    undone.push(await take(patient, ip));
  }
  const has = hands.patients().filter((patient) => machineOf(patient).claims.has(ip));
  return {
    note: `${ip} is on a link of ${has.map(({ name }) => name).join(' and ') || 'nobody'}`,
    undo: async () => {
      for (const undo of undone.toReversed()) await undo();
      return undefined;
    },
  };
};

/** Only as long as the machine has not gone down: then it has forgotten all of it by itself. */
const whileUp = (uptime: Uptime, work: () => Promise<void>) => async (): Promise<void> => {
  if (!uptime.inside.signal.aborted) await work();
};

async function drop(patient: Patient, ip: string): Promise<() => Promise<void>> {
  const uptime = uptimeOf(patient);
  const machine = machineOf(patient);
  const link = machine.claims.get(ip) ?? machine.facts.links[0]?.name ?? '';
  await uptime.inside.left(ip);
  return whileUp(uptime, async () => {
    if (!machine.claims.has(ip)) await uptime.inside.arrived(ip, link);
    machine.earlier.delete(ip);
  });
}

async function take(patient: Patient, ip: string): Promise<() => Promise<void>> {
  const uptime = uptimeOf(patient);
  const machine = machineOf(patient);
  const had = machine.earlier.has(ip);
  await uptime.inside.arrived(ip, machine.facts.links[0]?.name ?? '');
  return whileUp(uptime, async () => {
    await uptime.inside.left(ip);
    if (!had) machine.earlier.delete(ip);
    uptime.inside.derive();
  });
}

/** The machine takes the shared address for its own: kubelet's node IP, or what etcd tells its peers. */
export const vipLeaked: Begin = async (fault, hands) => {
  const { ip } = addressOf(fault, hands);
  const holder = hands.patients().find((patient) => machineOf(patient).claims.has(ip));
  const patient = fault.parameters['node'] === undefined ? holder : patientOf(fault, hands);
  if (patient === undefined) throw impossible(`nobody has ${ip} on a link`, 'Give --node NAME.');
  const uptime = uptimeOf(patient);
  const machine = machineOf(patient);
  if (fault.parameters['into'] === 'node-addresses') {
    machine.ailments.derived = (derived) => ({ ...derived, kubeletNodeIPs: [ip] });
    uptime.inside.derive();
    return {
      note: `the kubelet of ${patient.name} calls itself ${ip}`,
      undo: async () => {
        machine.ailments.derived = undefined;
        if (!uptime.inside.signal.aborted) uptime.inside.derive();
        return undefined;
      },
    };
  }
  const id = memberOf(patient);
  const before = await withEtcd([patient], hands, async (client) => {
    const own = (await client.members()).find((member) => member.id === id);
    if (own === undefined) throw new Error(`${hex(id)} is no member`);
    await client.memberUpdate(id, [`https://${ip}:2380`]);
    return own.peerURLs;
  });
  machine.ailments.derived = (derived) => ({ ...derived, etcdAdvertised: [ip, ...derived.etcdAdvertised] });
  uptime.inside.derive();
  return {
    note: `member ${hex(id)} of ${patient.name} tells its peers to call it at ${ip}`,
    undo: async () => {
      machine.ailments.derived = undefined;
      await withEtcd(controlPlanes(hands), hands, async (client) => {
        if ((await client.members()).some((member) => member.id === id)) await client.memberUpdate(id, before);
      });
      if (!uptime.inside.signal.aborted) uptime.inside.derive();
      return undefined;
    },
  };
};
