import { stringify } from 'yaml';
import { textOf } from '../../../src/base/failure.ts';
import { applyPatches } from '../../../src/machine-config/patch/apply.ts';
import { persist } from '../../talos/apply/persist.ts';
import type { VipOperatorSpec } from '../../talos/config/types.ts';
import type { Fault, Standing } from '../types.ts';
import { type Begin, controlPlanes, impossible, machineOf, type NodeHands, type Patient, uptimeOf } from './hands.ts';
import { patientOf } from './hands.ts';

type Way = 'applied' | 'tried' | 'staged' | 'unsaved';

const WAYS: Readonly<Record<string, Way>> = {
  'config-changed': 'applied',
  'config-try': 'tried',
  'config-staged': 'staged',
  'config-unsaved': 'unsaved',
};

/** Somebody has patched the machine config of a node, in one of Talos' ways. */
export const configFault: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  const patch = String(fault.parameters['patch']);
  const change = await changeConfig(patient, patch, WAYS[fault.kind] ?? 'applied', fault);
  return change;
};

/** The other of the two forms is added on every control plane: two operators for one address. */
export const vipBothForms: Begin = async (_fault, hands: NodeHands) => {
  const planes = controlPlanes(hands);
  const patches = planes.map((patient) => {
    uptimeOf(patient);
    const [vip, ...more] = machineOf(patient).active?.derived.vips ?? [];
    if (vip === undefined) throw impossible(`${patient.name} has no VIP`, 'Give it one first.');
    if (more.length > 0) throw impossible(`${patient.name} has several VIPs already`, 'Clear what made them.');
    if (machineOf(patient).ports.version.startsWith('v1.11.'))
      throw impossible('Talos 1.11 knows one form only', 'Start a lab with a later one.');
    return otherForm(vip);
  });
  const changes: Standing[] = [];
  for (const [i, patient] of planes.entries())
    changes.push(await changeConfig(patient, patches[i] ?? '', 'applied', _fault));
  return {
    note: `the VIP stands in both forms on ${planes.map(({ name }) => name).join(', ')}`,
    undo: async () => {
      const left = [];
      for (const change of changes) left.push(await change.undo());
      return left.find((text) => text !== undefined);
    },
  };
};

function otherForm({ form, ip, link, apiToken }: VipOperatorSpec): string {
  return form === 'legacy'
    ? stringify({ apiVersion: 'v1alpha1', kind: 'HCloudVIPConfig', name: ip, link, apiToken: apiToken ?? '' })
    : stringify({
        machine: { network: { interfaces: [{ interface: link, dhcp: true, vip: { ip, hcloud: { apiToken } } }] } },
      });
}

async function changeConfig(patient: Patient, patch: string, way: Way, fault: Fault): Promise<Standing> {
  const uptime = uptimeOf(patient);
  const machine = machineOf(patient);
  const before = { active: machine.active?.text ?? '', persistent: machine.persistent ?? '' };
  let text: string;
  try {
    text = applyPatches(before.active, [{ name: 'patch', text: patch }], machine.ports.version);
  } catch (error) {
    throw impossible(`the patch does not apply: ${textOf(error)}`, 'Correct --patch.');
  }
  const apply = (config: string, mode: 'no-reboot' | 'try' | 'staged') =>
    uptime.inside.apply({ text: config, mode, dryRun: false, tryTimeoutMs: Number(fault.parameters['timeout'] ?? 0) });
  try {
    await apply(text, way === 'tried' ? 'try' : way === 'staged' ? 'staged' : 'no-reboot');
  } catch (error) {
    throw impossible(`${patient.name} refuses the config: ${textOf(error)}`, 'Correct --patch.');
  }
  if (way === 'unsaved') await persist(machine, before.persistent);
  return {
    note: `the config of ${patient.name} was ${way === 'unsaved' ? 'changed in memory only' : way}`,
    undo: async () => {
      if (machine.stage === 'gone') return `${patient.name} was deleted since`;
      const rebooted = uptime.inside.signal.aborted || patient.node.inside.uptime !== uptime;
      const ours = machine.active?.text === text;
      if (!rebooted && ours) await apply(before.active, 'no-reboot');
      if (way === 'applied' && rebooted && machine.persistent === text) {
        const now = patient.node.inside.uptime;
        if (now === undefined) return `${patient.name} is down; its config stayed changed`;
        await now.inside.apply({ text: before.active, mode: 'no-reboot', dryRun: false, tryTimeoutMs: 0 });
      }
      if (machine.persistent === text || (!rebooted && ours)) await persist(machine, before.persistent);
      return !rebooted && !ours && way !== 'staged' && way !== 'tried'
        ? `the config of ${patient.name} was changed by others since; it was left so`
        : undefined;
    },
  };
}
