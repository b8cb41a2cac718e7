import { create, toBinary } from '@bufbuild/protobuf';
import { stringify } from 'yaml';
import { MachineConfigSpecSchema } from '../../../src/generated/resource/config/config_pb.ts';
import type { Machine } from '../machine.ts';
import { minorOf } from '../config/settings.ts';
import type { Resource } from './resource.ts';

/** The machine configs, active and on disk, and the machine's type. */
export function configResources(machine: Machine): Resource[] {
  const configs: Resource[] = [];
  const add = (id: string, text: string | undefined): void => {
    if (text !== undefined) configs.push(machineConfig(machine, id, text));
  };
  add('v1alpha1', machine.active?.text);
  add('persistent', machine.persistent);
  if (machine.active === undefined) return configs;
  const plane = machine.role === 'control-plane';
  return [
    ...configs,
    {
      namespace: 'config',
      type: 'MachineTypes.config.talos.dev',
      id: 'machine-type',
      owner: 'config.MachineTypeController',
      spec: plane ? 'controlplane' : 'worker',
      // A bare number in a field of its own.
      verbatim: { yaml: plane ? 'controlplane\n' : 'worker\n', proto: Uint8Array.of(0x08, plane ? 2 : 3) },
    },
  ];
}

/** The exact bytes in the protobuf form; in YAML a string from Talos 1.12 on, the raw text before. */
function machineConfig(machine: Machine, id: string, text: string): Resource {
  const raw = minorOf(machine.ports.version) < 12;
  return {
    namespace: 'config',
    type: 'MachineConfigs.config.talos.dev',
    id,
    owner: '',
    spec: text,
    verbatim: {
      get yaml() {
        return raw ? text : stringify(text, { lineWidth: 0, blockQuote: 'literal', indent: 4 });
      },
      get proto() {
        const yamlMarshalled = new TextEncoder().encode(text);
        return toBinary(MachineConfigSpecSchema, create(MachineConfigSpecSchema, { yamlMarshalled }));
      },
    },
    ...(raw ? {} : { annotations: { 'talos.dev/yaml-spec': '1' } }),
  };
}
