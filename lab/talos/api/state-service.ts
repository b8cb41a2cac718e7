import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import {
  EventType,
  ResourceSchema,
  type Resource as ResourceMessage,
  type State,
} from '../../../src/generated/cosi/state_pb.ts';
import type { Clock } from '../../../src/base/clock.ts';
import type { StoredResource } from '../resources/resource.ts';
import type { ResourceChange, ResourceStore } from '../resources/store.ts';
import { rolesIn } from './context.ts';
import { authorizeResource } from './roles.ts';

const EVENT_TYPES: Readonly<Record<ResourceChange['kind'], EventType>> = {
  created: EventType.CREATED,
  updated: EventType.UPDATED,
  destroyed: EventType.DESTROYED,
};

/** How often a watch looks at what changes without the machine's doing: its peers. */
const PEERS_MS = 1_000;

/** COSI's state API, read-only. */
export function stateCalls(store: ResourceStore, clock: Clock): ServiceImpl<typeof State> {
  const check = (namespace: string, type: string, context: HandlerContext): void => {
    if (!store.supports(namespace)) {
      throw new ConnectError(`namespace "${namespace}" is not supported`, Code.PermissionDenied);
    }
    if (!store.projects(type)) {
      throw new ConnectError(`resource type ${JSON.stringify(type)} is not built in this lab`, Code.Unimplemented);
    }
    authorizeResource(type, rolesIn(context.values));
  };

  return {
    get(request, context) {
      const { namespace, type, id } = request;
      check(namespace, type, context);
      const resource = store.get(namespace, type, id);
      if (resource === undefined) {
        const text = `resource ${type}(${namespace}/${id}@undefined) doesn't exist`;
        throw new ConnectError(text, Code.NotFound);
      }
      return { resource: toMessage(resource) };
    },
    async *list(request, context) {
      const { namespace, type, options } = request;
      check(namespace, type, context);
      const ids = idFilter(options?.idQuery?.regexp);
      for (const resource of store.list(namespace, type)) {
        if (ids(resource.id)) yield { resource: toMessage(resource) };
      }
    },
    async *watch(request, context) {
      const { namespace, type, id, options } = request;
      check(namespace, type, context);
      if (id !== undefined && options?.bootstrapContents === true) {
        throw new ConnectError('bootstrap_contents is not supported for a single resource', Code.InvalidArgument);
      }
      const ids = idFilter(options?.idQuery?.regexp);
      const queue: ResourceChange[] = [];
      let wake: () => void = () => {};
      store.refresh();
      const off = store.onChange((change) => {
        const { resource } = change;
        if (resource.namespace !== namespace || resource.type !== type) return;
        if (id === undefined ? !ids(resource.id) : resource.id !== id) return;
        queue.push(change);
        wake();
      });
      const stop = (): void => wake();
      context.signal.addEventListener('abort', stop);
      const poll = new AbortController();
      void pollPeers(store, clock, AbortSignal.any([context.signal, poll.signal]));
      try {
        const present = store.list(namespace, type);
        // The first message says that the watch stands; clients throw it away, whatever it holds.
        yield {};
        if (id !== undefined) {
          const found = present.find((resource) => resource.id === id);
          yield found === undefined
            ? { event: [{ eventType: EventType.DESTROYED, resource: tombstone(namespace, type, id) }] }
            : { event: [{ eventType: EventType.CREATED, resource: toMessage(found) }] };
        } else if (options?.bootstrapContents === true) {
          for (const resource of present.filter((candidate) => ids(candidate.id))) {
            yield { event: [{ eventType: EventType.CREATED, resource: toMessage(resource) }] };
          }
          yield { event: [{ eventType: EventType.BOOTSTRAPPED, resource: tombstone(namespace, type, '') }] };
        }
        while (!context.signal.aborted) {
          const change = queue.shift();
          if (change !== undefined) {
            yield {
              event: [
                {
                  eventType: EVENT_TYPES[change.kind],
                  resource: toMessage(change.resource),
                  ...(change.old === undefined ? {} : { old: toMessage(change.old) }),
                },
              ],
            };
            continue;
          }
          await new Promise<void>((resolve) => {
            wake = resolve;
            if (context.signal.aborted || queue.length > 0) resolve();
          });
        }
      } finally {
        off();
        poll.abort();
        context.signal.removeEventListener('abort', stop);
      }
    },
  };
}

async function pollPeers(store: ResourceStore, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(PEERS_MS, signal).catch(() => {});
    if (!signal.aborted) store.refresh();
  }
}

function idFilter(regexp: string | undefined): (id: string) => boolean {
  if (regexp === undefined || regexp === '') return () => true;
  try {
    const pattern = new RegExp(regexp);
    return (id) => pattern.test(id);
  } catch {
    throw new ConnectError(`failed to compile regexp ${regexp}`, Code.InvalidArgument);
  }
}

function toMessage(resource: StoredResource): ResourceMessage {
  return create(ResourceSchema, {
    metadata: {
      namespace: resource.namespace,
      type: resource.type,
      id: resource.id,
      version: String(resource.version),
      owner: resource.owner,
      phase: 'running',
      created: timestampFromDate(resource.created),
      updated: timestampFromDate(resource.updated),
      annotations: { ...resource.annotations },
    },
    spec: { protoSpec: resource.proto ?? new Uint8Array(), yamlSpec: resource.yaml },
  });
}

const tombstone = (namespace: string, type: string, id: string): ResourceMessage =>
  create(ResourceSchema, {
    metadata: { namespace, type, id, version: 'undefined', phase: 'running' },
    spec: { yamlSpec: '{}\n' },
  });
