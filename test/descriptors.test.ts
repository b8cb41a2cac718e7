import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import {
  createFileRegistry,
  type DescField,
  type DescFile,
  type DescMessage,
  fromBinary,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, test } from 'vitest';
import { file_resource_definitions_cluster_cluster } from '../lab/talos/resources/generated/resource/definitions/cluster/cluster_pb.ts';
import { file_resource_definitions_etcd_etcd } from '../lab/talos/resources/generated/resource/definitions/etcd/etcd_pb.ts';
import { file_resource_definitions_k8s_k8s } from '../lab/talos/resources/generated/resource/definitions/k8s/k8s_pb.ts';
import { file_resource_definitions_network_network } from '../lab/talos/resources/generated/resource/definitions/network/network_pb.ts';
import { file_resource_definitions_runtime_runtime } from '../lab/talos/resources/generated/resource/definitions/runtime/runtime_pb.ts';
import { file_resource_definitions_secrets_secrets } from '../lab/talos/resources/generated/resource/definitions/secrets/secrets_pb.ts';
import { file_resource_definitions_v1alpha1_v1alpha1 } from '../lab/talos/resources/generated/resource/definitions/v1alpha1/v1alpha1_pb.ts';
import { file_common_common } from '../src/generated/common/common_pb.ts';
import { file_cosi_state } from '../src/generated/cosi/state_pb.ts';
import { file_google_rpc_status } from '../src/generated/google/rpc/status_pb.ts';
import { file_machine_machine } from '../src/generated/machine/machine_pb.ts';
import { file_resource_config_config } from '../src/generated/resource/config/config_pb.ts';

/** Our own narrow files: names and numbers are the interface with Talos. */
const OURS = [
  file_machine_machine,
  file_common_common,
  file_cosi_state,
  file_google_rpc_status,
  file_resource_config_config,
];

/** Specs of resources, as the lab's nodes encode them. Files that the sets at hand do not hold are not compared. */
const SPECS = [
  file_resource_definitions_cluster_cluster,
  file_resource_definitions_etcd_etcd,
  file_resource_definitions_k8s_k8s,
  file_resource_definitions_network_network,
  file_resource_definitions_runtime_runtime,
  file_resource_definitions_secrets_secrets,
  file_resource_definitions_v1alpha1_v1alpha1,
];

/** Every field, enum value and call of a file, one line each: all that must be the same on both sides of the wire. */
function linesOf(file: DescFile): string[] {
  const messages = (list: readonly DescMessage[]): string[] =>
    list.flatMap((message) => [
      ...message.fields.map((field) => `${message.typeName}.${field.name} = ${field.number} ${typeOf(field)}`),
      ...message.nestedEnums.flatMap(enumLines),
      ...messages(message.nestedMessages),
    ]);
  return [
    ...messages(file.messages),
    ...file.enums.flatMap(enumLines),
    ...file.services.flatMap((service) =>
      service.methods.map(
        (method) =>
          `${service.typeName}/${method.name} ${method.methodKind} ${method.input.typeName} -> ${method.output.typeName}`,
      ),
    ),
  ];
}

const enumLines = ({ typeName, values }: DescFile['enums'][number]): string[] =>
  values.map((value) => `${typeName}.${value.name} = ${value.number}`);

function typeOf(field: DescField): string {
  const optional = field.proto.proto3Optional ? 'optional ' : '';
  switch (field.fieldKind) {
    case 'scalar':
      return `${optional}${ScalarType[field.scalar].toLowerCase()}`;
    case 'enum':
      return `${optional}enum ${field.enum.typeName}`;
    case 'message':
      return `${optional}message ${field.message.typeName}`;
    case 'list':
      return `repeated ${field.listKind === 'scalar' ? ScalarType[field.scalar].toLowerCase() : field.listKind === 'enum' ? field.enum.typeName : field.message.typeName}`;
    case 'map':
      return `map ${ScalarType[field.mapKey].toLowerCase()} to ${field.mapKind}`;
  }
}

const ours = OURS.flatMap(linesOf);

/** A file behind everything it imports, as descriptor sets are ordered. */
const withDependencies = (file: DescFile): DescFile[] => [...file.dependencies.flatMap(withDependencies), file];

/**
 * The table is what was checked: after a change of proto/, run the tests below with FAIRLEAD_GOLDENS set, and only when
 * they pass write it anew: FAIRLEAD_GOLDENS=... npx vitest run test/descriptors.test.ts -u
 */
test('our Talos messages are, to the number, those that were checked against Talos’ own descriptors', async () => {
  expect(ours.length).toBeGreaterThan(150);
  await expect(`${ours.toSorted().join('\n')}\n`).toMatchFileSnapshot('descriptors.table.txt');
});

test('the comparison notices a changed number, type, label, enum value and streaming', () => {
  const { proto } = file_machine_machine;
  const set = fromBinary(
    FileDescriptorSetSchema,
    toBinary(FileDescriptorSetSchema, {
      $typeName: 'google.protobuf.FileDescriptorSet',
      file: [...new Set(OURS.flatMap(withDependencies))].map((f) => f.proto),
    }),
  );
  const machine = set.file.find((f) => f.name === proto.name);
  const of = (name: string) => machine?.messageType.find((m) => m.name === name);
  const apply = of('ApplyConfigurationRequest');
  apply!.field.find((f) => f.name === 'mode')!.number = 3;
  of('EtcdMember')!.field.find((f) => f.name === 'id')!.type = 3;
  of('EtcdMember')!.field.find((f) => f.name === 'hostname')!.label = 3;
  apply!.enumType[0]!.value[2]!.number = 7;
  machine!.service[0]!.method.find((m) => m.name === 'Kubeconfig')!.serverStreaming = false;
  const changed = [...createFileRegistry(set).files].flatMap(linesOf);
  expect(ours.filter((line) => !changed.includes(line)).toSorted()).toEqual([
    'machine.ApplyConfigurationRequest.Mode.NO_REBOOT = 2',
    'machine.ApplyConfigurationRequest.mode = 4 enum machine.ApplyConfigurationRequest.Mode',
    'machine.EtcdMember.hostname = 3 string',
    'machine.EtcdMember.id = 2 uint64',
    'machine.MachineService/Kubeconfig server_streaming google.protobuf.Empty -> common.Data',
  ]);
});

const goldens = path.join(process.env['FAIRLEAD_GOLDENS'] ?? '/nonexistent', 'talos', 'api');
describe.skipIf(!existsSync(goldens))('against Talos’ own descriptors (needs FAIRLEAD_GOLDENS)', () => {
  test.each(['1.13', '1.14'])('every message, field, enum and call of ours is in Talos %s, the same', (version) => {
    const theirs = new Set(
      ['api', 'resources'].flatMap((part) => {
        const set = fromBinary(FileDescriptorSetSchema, readFileSync(path.join(goldens, `${part}-${version}.binpb`)));
        return [...createFileRegistry(set).files].flatMap(linesOf);
      }),
    );
    expect(theirs.size).toBeGreaterThan(500);
    expect(ours.filter((line) => !theirs.has(line))).toEqual([]);
  });

  test('so is every spec of a resource in Talos 1.14', () => {
    const set = fromBinary(FileDescriptorSetSchema, readFileSync(path.join(goldens, 'resources-1.14.binpb')));
    const theirs = new Set([...createFileRegistry(set).files].flatMap(linesOf));
    const specs = SPECS.flatMap(linesOf);
    expect(specs.length).toBeGreaterThan(300);
    expect(specs.filter((line) => !theirs.has(line))).toEqual([]);
  });
});
