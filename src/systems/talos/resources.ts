import { fromBinary } from '@bufbuild/protobuf';
import { parseDocument } from 'yaml';
import { Redacted } from '../../base/redacted.ts';
import type { Resource } from '../../generated/cosi/state_pb.ts';
import { MachineConfigSpecSchema } from '../../generated/resource/config/config_pb.ts';
import type { MachineConfigText, TalosResource } from './types.ts';

/** Talos' resource in our words. Throws an Error when metadata or spec are missing or the spec is not YAML. */
export function toResource(resource: Resource | undefined): TalosResource {
  const { metadata, spec } = complete(resource);
  const document = parseDocument(spec.yamlSpec, { logLevel: 'silent' });
  const problem = document.errors[0];
  if (problem !== undefined) throw new Error(`${metadata.type}/${metadata.id}: spec is not YAML: ${problem.message}`);
  return {
    namespace: metadata.namespace,
    type: metadata.type,
    id: metadata.id,
    version: metadata.version,
    phase: metadata.phase,
    spec: document.toJS() as unknown,
  };
}

/**
 * The machine config out of the protobuf form of its resource: the exact bytes that were submitted. The YAML form is
 * not used: it is a quoted string from Talos 1.12 on and the raw text before.
 */
export function toMachineConfig(resource: Resource | undefined): MachineConfigText {
  const { metadata, spec } = complete(resource);
  const { yamlMarshalled } = fromBinary(MachineConfigSpecSchema, spec.protoSpec);
  if (yamlMarshalled.length === 0) throw new Error(`${metadata.type}/${metadata.id} carries no bytes`);
  return {
    text: new Redacted(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(yamlMarshalled)),
    version: metadata.version,
  };
}

function complete(resource: Resource | undefined): {
  metadata: NonNullable<Resource['metadata']>;
  spec: NonNullable<Resource['spec']>;
} {
  if (resource?.metadata === undefined) throw new Error('the node sent a resource without metadata');
  if (resource.spec === undefined) throw new Error(`${resource.metadata.type}/${resource.metadata.id} has no spec`);
  return { metadata: resource.metadata, spec: resource.spec };
}
