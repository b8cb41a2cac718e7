import { create, ScalarType, toBinary, type DescEnum, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { addressBytes, durationOf, flagBits, hardwareAddress, prefixOf } from './values.ts';

/** Keys whose name in YAML does not follow from the name of the field. */
const RENAMED: Readonly<Record<string, string>> = {
  'cosi.resource.ResourceDefinitionSpec.type': 'resource_type',
  'talos.resource.definitions.block.SystemDiskSpec.diskID': 'disk_id',
  'talos.resource.definitions.cluster.ControlPlane.port': 'api_server_port',
  'talos.resource.definitions.hardware.MemoryModuleSpec.sizeMiB': 'size',
  'talos.resource.definitions.hardware.MemoryModuleSpec.speedMhz': 'speed',
  'talos.resource.definitions.hardware.ProcessorSpec.bootSpeedMhz': 'boot_speed',
  'talos.resource.definitions.hardware.ProcessorSpec.maxSpeedMhz': 'max_speed',
  // A slip of Talos' own, which clients know by now.
  'talos.resource.definitions.k8s.BootstrapManifestsConfigSpec.string': 'server',
  'talos.resource.definitions.network.LinkStatusSpec.speedMbit': 'speed_megabits',
  'talos.resource.definitions.network.RouteStatusSpec.dst': 'destination',
  'talos.resource.definitions.network.RouteStatusSpec.src': 'source',
  'talos.resource.definitions.network.TimeServerStatusSpec.timeServers': 'ntp_servers',
  'talos.resource.definitions.network.TimeServerSpecSpec.timeServers': 'ntp_servers',
  'talos.resource.definitions.k8s.APIServerConfigSpec.serviceCIDR': 'service_cid_rs',
};

/** And those that are named so everywhere. */
const RENAMED_EVERYWHERE: Readonly<Record<string, string>> = { layer: 'config_layer' };

/** Keys that Talos shows in YAML and leaves out of the protobuf form. */
const YAML_ONLY = new Set([
  'cosi.resource.ResourceDefinitionSpec.skipAutomaticAliases',
  'talos.resource.definitions.time.StatusSpec.spikeDetected',
  'talos.resource.definitions.time.StatusSpec.consecutiveSpikes',
]);

/** Specs that are one list or map: YAML shows what is in their only field. */
const BARE = new Set(['StaticPodSpec', 'StaticPodStatusSpec']);

/**
 * The protobuf form of a spec that is given as Talos writes it in YAML. Keys find their fields by name; one that finds none
 * is a mistake of ours and throws.
 */
export function encodeSpec(schema: DescMessage, spec: unknown): Uint8Array {
  const [only] = schema.fields;
  const whole = BARE.has(schema.name) && only !== undefined ? { [only.name]: spec } : spec;
  const bytes = toBinary(schema, create(schema, messageInit(schema, whole)));
  return bytes.length > 0 ? bytes : oneZero(schema);
}

/**
 * A message of zero values alone has no bytes, which clients take for a form that is missing: one zero is written out. It
 * reads back as the same message.
 */
function oneZero(schema: DescMessage): Uint8Array {
  const field = schema.fields.find(({ fieldKind }) => fieldKind === 'scalar' || fieldKind === 'enum');
  if (field === undefined) return new Uint8Array();
  const text = field.fieldKind === 'scalar' && [ScalarType.STRING, ScalarType.BYTES].includes(field.scalar);
  return Uint8Array.of((field.number << 3) | (text ? 2 : 0), 0);
}

const bare = (name: string): string => name.replaceAll(/[^A-Za-z0-9]/g, '').toLowerCase();

function messageInit(schema: DescMessage, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new Error(`${schema.typeName}: not an object`);
  const init: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value)) {
    const path = `${schema.typeName}.${key}`;
    if (YAML_ONLY.has(path) || part === null || part === undefined) continue;
    const wanted = bare(RENAMED[path] ?? RENAMED_EVERYWHERE[key] ?? key);
    const field = schema.fields.find((candidate) => bare(candidate.name) === wanted);
    if (field === undefined) throw new Error(`${path} has no field in protobuf`);
    init[field.localName] = fieldInit(field, part, path);
  }
  // Never in the YAML: the encoder there takes an address for empty.
  if (schema.name === 'AddressStatusSpec' && 'address' in value) {
    init['local'] = { ip: prefixOf(String(value.address)).ip };
  }
  return init;
}

function fieldInit(field: DescField, value: unknown, path: string): unknown {
  switch (field.fieldKind) {
    case 'list': {
      const items: readonly unknown[] = Array.isArray(value) ? value : [];
      return items.map((item) =>
        field.listKind === 'message'
          ? wellKnown(field.message, item)
          : field.listKind === 'enum'
            ? enumValue(field.enum, item, path)
            : scalar(field.scalar, item, path),
      );
    }
    case 'map':
      return Object.fromEntries(
        Object.entries(value as Readonly<Record<string, unknown>>).map(([key, item]) => [
          key,
          field.mapKind === 'message'
            ? wellKnown(field.message, item)
            : field.mapKind === 'scalar'
              ? scalar(field.scalar, item, path)
              : enumValue(field.enum, item, path),
        ]),
      );
    case 'message':
      return wellKnown(field.message, value);
    case 'enum':
      return enumValue(field.enum, value, path);
    case 'scalar':
      return scalar(field.scalar, value, path);
  }
}

/** Types whose YAML is one text, and messages of their own keys. */
function wellKnown(schema: DescMessage, value: unknown): unknown {
  const text = String(value);
  switch (schema.typeName) {
    case 'common.NetIP':
      return { ip: addressBytes(text) };
    case 'common.NetIPPrefix':
      return prefixOf(text);
    case 'common.URL':
      return { fullPath: text };
    case 'google.protobuf.Duration':
      return durationOf(text);
    case 'google.protobuf.Struct':
      return value;
    case 'talos.resource.definitions.k8s.ArgValues':
    case 'talos.resource.definitions.etcd.ArgValues':
      return typeof value === 'string' ? { values: [value] } : messageInit(schema, value);
    default:
      return messageInit(schema, value);
  }
}

function scalar(type: ScalarType, value: unknown, path: string): unknown {
  if (type === ScalarType.STRING) return String(value);
  if (type === ScalarType.BOOL) return value === true;
  if (type === ScalarType.BYTES) return bytes(String(value));
  if (type === ScalarType.INT64 || type === ScalarType.UINT64) return BigInt(value as number);
  return typeof value === 'string' ? flagBits(value, path) : value;
}

/** Hardware addresses; else base64, as PEM texts are shown. */
const bytes = (text: string): Uint8Array => hardwareAddress(text) ?? new Uint8Array(Buffer.from(text, 'base64'));

/** By the name that Talos shows: the last words of the value's own. */
function enumValue(schema: DescEnum, value: unknown, path: string): number {
  const wanted = bare(ENUM_NAMES[String(value)] ?? String(value));
  const found =
    schema.values.find((candidate) => bare(candidate.name) === wanted) ??
    schema.values
      .filter((candidate) => wanted !== '' && bare(candidate.name).endsWith(wanted))
      .toSorted((a, b) => a.name.length - b.name.length)[0];
  if (found === undefined) throw new Error(`${path}: ${JSON.stringify(value)} is no value of ${schema.typeName}`);
  return found.number;
}

/** Values shown by another name than their own. */
const ENUM_NAMES: Readonly<Record<string, string>> = {
  sensitive: 'SENSITIVE',
  loopback: 'LINK_LOOPBCK',
};
