import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import {
  EventType,
  ResourceSchema,
  type EventSchema,
  type Resource as ResourceMessage,
  type State,
} from '../../../src/generated/cosi/state_pb.ts';
import type { Clock } from '../../../src/base/clock.ts';
import { createQuery } from '../resources/query.ts';
import { protoOf, yamlOf, type StoredResource } from '../resources/resource.ts';
import type { ResourceChange, ResourceStore } from '../resources/store.ts';
import { rolesIn } from './context.ts';

type EventInit = MessageInitShape<typeof EventSchema>;

const EVENT_TYPES: Readonly<Record<ResourceChange['kind'], EventType>> = {
  created: EventType.CREATED,
  updated: EventType.UPDATED,
  destroyed: EventType.DESTROYED,
};

/** How often a watch looks at what changes without the machine's doing: its peers. */
const PEERS_MS = 1_000;

/** COSI's state API, read-only. */
export function stateCalls(store: ResourceStore, clock: Clock): ServiceImpl<typeof State> {
  /** In Talos' order: is there such a type, may the caller see it, is there such a namespace. */
  const check = (namespace: string, type: string, context: HandlerContext): void => {
    const definition = store.registry.definition(type);
    const refusal =
      definition === undefined
        ? `resource type ${JSON.stringify(type)} is not supported`
        : definition.sensitive && !rolesIn(context.values).includes('os:admin')
          ? 'not authorized'
          : store.registry.hasNamespace(namespace)
            ? undefined
            : `namespace ${JSON.stringify(namespace)} is not supported`;
    if (refusal !== undefined) throw new ConnectError(refusal, Code.PermissionDenied);
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
      const matches = createQuery(options?.labelQuery ?? [], options?.idQuery);
      for (const resource of store.list(namespace, type)) {
        if (matches(resource)) yield { resource: toMessage(resource) };
      }
    },
    async *watch(request, context) {
      const { namespace, type, id, options, apiVersion } = request;
      check(namespace, type, context);
      if (id !== undefined && options?.bootstrapContents === true) {
        throw new ConnectError('bootstrap contents is not implemented for resource watch', Code.Unimplemented);
      }
      if (id !== undefined && (options?.labelQuery.length ?? 0) > 0) {
        throw new ConnectError('label query is not implemented for resource watch', Code.Unimplemented);
      }
      const matches =
        id === undefined
          ? createQuery(options?.labelQuery ?? [], options?.idQuery)
          : (resource: { readonly id: string }) => resource.id === id;
      const queue: EventInit[] = [];
      let wake: () => void = () => {};
      store.refresh();
      const off = store.onChange((change) => {
        const { resource } = change;
        if (resource.namespace !== namespace || resource.type !== type || !matches(resource)) return;
        queue.push(toEvent(change));
        wake();
      });
      const stop = (): void => wake();
      context.signal.addEventListener('abort', stop);
      const poll = new AbortController();
      void pollPeers(store, clock, AbortSignal.any([context.signal, poll.signal]));
      const present = store.list(namespace, type).filter((resource) => matches(resource));
      const created = present.map((resource) => ({ eventType: EventType.CREATED, resource: toMessage(resource) }));
      const nothing = (eventType: EventType, absent: string): EventInit => ({
        eventType,
        resource: tombstone(namespace, type, absent),
      });
      const first: EventInit[] =
        id !== undefined
          ? created.length > 0
            ? created
            : [nothing(EventType.DESTROYED, id)]
          : options?.bootstrapContents === true
            ? // Clients of the first version do not know the end of the contents.
              [...created, ...(apiVersion < 1 ? [] : [nothing(EventType.BOOTSTRAPPED, '')])]
            : [];
      try {
        // The first message says that the watch stands; clients throw it away, whatever it holds.
        yield {};
        if (options?.aggregated === true && first.length > 0) yield { event: first };
        else for (const event of first) yield { event: [event] };
        while (!context.signal.aborted) {
          const events = queue.splice(0, options?.aggregated === true ? queue.length : 1);
          if (events.length > 0) {
            yield { event: events };
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

const toEvent = (change: ResourceChange): EventInit => ({
  eventType: EVENT_TYPES[change.kind],
  resource: toMessage(change.resource),
  ...(change.old === undefined ? {} : { old: toMessage(change.old) }),
});

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
      labels: { ...resource.labels },
      annotations: { ...resource.annotations },
    },
    spec: { protoSpec: protoOf(resource), yamlSpec: yamlOf(resource) },
  });
}

/** What is not there. Clients that print it want YAML all the same. */
const tombstone = (namespace: string, type: string, id: string): ResourceMessage =>
  create(ResourceSchema, {
    metadata: { namespace, type, id, version: 'undefined', phase: 'running' },
    spec: { yamlSpec: '{}\n' },
  });
