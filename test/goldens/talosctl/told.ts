import { fromBinary, toJson, type DescMethod, type JsonObject, type Registry } from '@bufbuild/protobuf';
import type { Told } from './needs.ts';

const EVENT_PREFIX = 'talos/runtime/';

/** A message of the wire as JSON; a Talos event's value is told too, under its own kind of type URL. */
export function told(registry: Registry, method: DescMethod, bytes: Uint8Array): Told {
  const message = fromBinary(method.output, bytes);
  if (method.output.typeName === 'machine.Event') return event(registry, message as unknown as Event);
  return toJson(method.output, message, { registry }) as JsonObject;
}

/** The request, likewise. */
export const toldRequest = (method: DescMethod, bytes: Uint8Array): Told =>
  toJson(method.input, fromBinary(method.input, bytes)) as JsonObject;

interface Event {
  readonly metadata?: { readonly hostname: string; readonly error: string };
  readonly data?: { readonly typeUrl: string; readonly value: Uint8Array };
}

function event(registry: Registry, { metadata, data }: Event): Told {
  const schema = registry.getMessage(data?.typeUrl.replace(EVENT_PREFIX, '') ?? '');
  const value = schema === undefined || data === undefined ? {} : toJson(schema, fromBinary(schema, data.value));
  return {
    ...(metadata === undefined ? {} : { metadata: { hostname: metadata.hostname, error: metadata.error } }),
    data: { typeUrl: data?.typeUrl ?? '', value },
  };
}
