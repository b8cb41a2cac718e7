import type { Standing } from '../types.ts';
import { type Begin, impossible, machineOf, type Patient, patientOf, uptimeOf } from './hands.ts';

export const powerLost: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  uptimeOf(patient);
  await patient.node.powerOff();
  return { note: `the power of ${patient.name} is gone; the cloud still says running`, undo: () => on(patient) };
};

/** Silent on all ports, and not without power: what ends it is a reset, as in life. */
export const kernelHung: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  uptimeOf(patient);
  machineOf(patient).ailments.kernelHung = true;
  await patient.node.powerOff();
  return { note: `the kernel of ${patient.name} hangs; clearing it is a reset`, undo: () => on(patient) };
};

async function on(patient: Patient): Promise<string | undefined> {
  const machine = machineOf(patient);
  machine.ailments.kernelHung = undefined;
  if (machine.stage === 'gone') return `${patient.name} was deleted since`;
  if (machine.stage !== 'off') return `${patient.name} was switched on since`;
  await patient.node.powerOn();
  return undefined;
}

export const nodeReboot: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  uptimeOf(patient);
  const orderly = fault.parameters['how'] !== 'forced';
  const { node } = patient;
  const again = orderly ? node.reboot() : node.powerOff().then(() => node.powerOn());
  again.catch((error: unknown) => machineOf(patient).log(`reboot failed: ${String(error)}`));
  return {
    note: `${patient.name} reboots (${orderly ? 'orderly' : 'forced'})`,
    over: true,
    undo: async () => undefined,
  };
};

export const clockSkew: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  const { ailments } = machineOf(patient);
  const before = ailments.clockSkewMs;
  const ms = Number(fault.parameters['skew']);
  ailments.clockSkewMs = ms;
  return {
    note: `the clock of ${patient.name} is ${Math.abs(ms) / 1000} s ${ms > 0 ? 'ahead' : 'behind'}; certificates it issues meanwhile carry that time`,
    undo: async () => {
      ailments.clockSkewMs = before;
      return undefined;
    },
  };
};

/** Names of links come with the boot path: known from the next boot on, which follows at once. */
export const linkNames: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  const names = String(fault.parameters['names']).split(',');
  return rebornAs(patient, `the links of ${patient.name} are called ${names.join(', ')} since a reboot`, (ailments) => {
    ailments.linkNames = names;
    return () => (ailments.linkNames = undefined);
  });
};

export const hostnameTwice: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  const other =
    fault.parameters['as'] === undefined
      ? hands.patients().find((each) => each !== patient && each.node.role === patient.node.role)
      : patientOf(fault, hands, 'as');
  if (other === undefined || other === patient) throw impossible('there is no other machine', 'Give --as NODE.');
  const hostname = machineOf(other).facts.hostname;
  return rebornAs(patient, `${patient.name} calls itself ${hostname} since a reboot`, (ailments) => {
    ailments.hostname = hostname;
    return () => (ailments.hostname = undefined);
  });
};

async function rebornAs(
  patient: Patient,
  note: string,
  change: (ailments: ReturnType<typeof machineOf>['ailments']) => () => void,
): Promise<Standing> {
  uptimeOf(patient);
  const undo = change(machineOf(patient).ailments);
  await patient.node.reboot();
  return {
    note,
    undo: async () => {
      undo();
      await patient.node.reboot();
      return undefined;
    },
  };
}

export const apidDown: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  const uptime = uptimeOf(patient);
  await uptime.inside.setApid('down');
  return {
    note: `apid of ${patient.name} has ended`,
    undo: async () => {
      if (!uptime.inside.signal.aborted) await uptime.inside.setApid('up');
      return undefined;
    },
  };
};

export const kubeletDown: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  const uptime = uptimeOf(patient);
  uptime.inside.setKubelet('down');
  return {
    note: `the kubelet of ${patient.name} has ended; what it started runs on`,
    undo: async () => {
      if (!uptime.inside.signal.aborted) uptime.inside.setKubelet('up');
      return undefined;
    },
  };
};

export const firewallLost: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  uptimeOf(patient);
  const { host } = patient;
  if (host.ingress === undefined)
    throw impossible('firewalls of machines close nothing in this lab', 'Use `lab up --fabric netns`.');
  await host.ingress(undefined);
  return {
    note: `${patient.name} has lost its firewall's table: everything passes`,
    undo: async () => {
      await host.ingress?.(machineOf(patient).active?.derived.ingress);
      return undefined;
    },
  };
};
