import type * as z from 'zod';
import { DEFAULT_POLL, waitForAction } from './actions.ts';
import { HetznerError } from './errors.ts';
import {
  type Action,
  actionsPage,
  createdFloatingIP,
  floatingIPsPage,
  locationsPage,
  noBody,
  oneFloatingIP,
  serversPage,
  startedAction,
} from './schema.ts';
import { createTransport, type HetznerPorts, type Request } from './transport.ts';
import type { FloatingIP, HetznerClient, HetznerOptions } from './types.ts';

/** Largest page the API gives. */
const PER_PAGE = 50;

type Page = { meta?: { pagination?: { next_page?: number | null | undefined } | null | undefined } | null | undefined };

/**
 * The Hetzner Cloud API, as far as fairlead needs it. Reads are repeated when they may pass; a POST is repeated only
 * after a look at what it was to change, so that nothing is made twice. Every failure is a HetznerError, except the
 * caller's own abort, which comes back as the signal's reason.
 */
export function createHetznerClient(ports: HetznerPorts, options: HetznerOptions): HetznerClient {
  const transport = createTransport(ports, options);
  const poll = { ...DEFAULT_POLL, ...options.actionPoll };

  async function read<S extends z.ZodType>(path: string, schema: S, signal?: AbortSignal): Promise<z.output<S>> {
    for (let n = 0; ; n += 1) {
      try {
        return await transport.once({ method: 'GET', path, schema }, signal);
      } catch (error) {
        await transport.pause(error, n, signal);
      }
    }
  }

  async function all<T>(path: string, page: (path: string) => Promise<{ items: readonly T[] } & Page>): Promise<T[]> {
    const found: T[] = [];
    for (let number: number | null | undefined = 1; number !== undefined && number !== null;) {
      const separator = path.includes('?') ? '&' : '?';
      const { items, meta } = await page(`${path}${separator}page=${number}&per_page=${PER_PAGE}`);
      found.push(...items);
      const next: number | null | undefined = meta?.pagination?.next_page;
      if (next !== undefined && next !== null && next <= number) {
        throw new HetznerError({
          code: 'invalid_answer',
          message: `${path}: page ${number} names page ${next} as the next one`,
          retryable: false,
        });
      }
      number = next;
    }
    return found;
  }

  const floatingIPs = (query: string, signal?: AbortSignal): Promise<FloatingIP[]> =>
    all(`/floating_ips${query}`, async (path) => {
      const { floating_ips: items, meta } = await read(path, floatingIPsPage, signal);
      return { items, meta };
    });

  async function floatingIP(id: number, signal?: AbortSignal): Promise<FloatingIP | undefined> {
    try {
      return (await read(`/floating_ips/${id}`, oneFloatingIP, signal)).floating_ip;
    } catch (error) {
      if (error instanceof HetznerError && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  async function existing(id: number, signal?: AbortSignal): Promise<FloatingIP> {
    const found = await floatingIP(id, signal);
    if (found !== undefined) return found;
    throw new HetznerError({
      code: 'not_found',
      message: `there is no floating IP ${id} in this project`,
      status: 404,
      retryable: false,
    });
  }

  const finished = (action: Action, signal?: AbortSignal): Promise<void> =>
    waitForAction(
      ports,
      poll,
      action,
      async (id) => (await read(`/actions?id=${id}`, actionsPage, signal)).actions,
      () => transport.rateLimit,
      signal,
    );

  /**
   * Sends a POST and waits for its action. After any failure the world is looked at before anything else: an answer that
   * was lost may have been a success. `forgiven` names refusals that also mean it may have happened.
   */
  async function write<S extends z.ZodType, T>(
    request: Request<S>,
    settle: (answer: z.output<S>) => Promise<T>,
    look: (error: HetznerError) => Promise<T | undefined>,
    forgiven: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<T> {
    for (let n = 0; ; n += 1) {
      try {
        return await settle(await transport.once(request, signal));
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof HetznerError)) throw error;
        // A first refusal by name is somebody else's resource; after a lost answer it may be our own.
        const ours = forgiven.includes(error.code) && (n > 0 || error.code !== 'uniqueness_error');
        if (!error.retryable && !ours) throw error;
        const found = await look(error);
        if (found !== undefined) return found;
        await transport.pause(error, n, signal);
      }
    }
  }

  /**
   * Waits for actions that run on a floating IP already. How they end is not judged here: they may be somebody else's,
   * and what they did is looked at afterwards. One that does not end is an error: a second POST would only queue behind it.
   */
  async function othersFinished(id: number, signal?: AbortSignal): Promise<void> {
    const { actions } = await read(`/floating_ips/${id}/actions?status=running`, actionsPage, signal);
    for (const action of actions.filter((a) => a.status === 'running')) {
      try {
        await finished(action, signal);
      } catch (error) {
        if (!(error instanceof HetznerError) || error.code === 'action_timeout') throw error;
      }
    }
  }

  async function act(
    id: number,
    name: string,
    body: unknown,
    done: (floatingIP: FloatingIP) => boolean,
    forgiven: readonly string[],
    signal?: AbortSignal,
  ): Promise<void> {
    const look = async (): Promise<true | undefined> => (done(await existing(id, signal)) ? true : undefined);
    const lookAfter = async (error: HetznerError): Promise<true | undefined> => {
      const now = await look();
      if (now === true || !answerLost(error)) return now;
      // What was begun may still run, and the address then still shows where it was.
      await othersFinished(id, signal);
      return look();
    };
    if ((await look()) === true) return;
    await write(
      { method: 'POST', path: `/floating_ips/${id}/actions/${name}`, body, schema: startedAction },
      async ({ action }) => {
        await finished(action, signal);
        return true as const;
      },
      lookAfter,
      forgiven,
      signal,
    );
  }

  return {
    servers: (signal) =>
      all('/servers', async (path) => {
        const { servers: items, meta } = await read(path, serversPage, signal);
        return { items, meta };
      }),

    floatingIPs: (signal) => floatingIPs('', signal),
    floatingIP,

    locations: (signal) =>
      all('/locations', async (path) => {
        const { locations: items, meta } = await read(path, locationsPage, signal);
        return { items, meta };
      }),

    async tokenClass(signal) {
      for (let n = 0; ; n += 1) {
        try {
          const path = '/floating_ips/0/actions/assign';
          await transport.once({ method: 'POST', path, body: { server: 0 }, schema: startedAction }, signal);
          return 'read-write';
        } catch (error) {
          const found = error instanceof HetznerError ? classOf(error) : undefined;
          if (found !== undefined) return found;
          await transport.pause(error, n, signal);
        }
      }
    },

    createFloatingIP(spec, signal) {
      const { name, location, description, labels } = spec;
      return write(
        {
          method: 'POST',
          path: '/floating_ips',
          body: { type: 'ipv4', home_location: location, name, description, labels },
          schema: createdFloatingIP,
        },
        async ({ floating_ip: created, action }) => {
          if (action !== undefined && action !== null) await finished(action, signal);
          return created;
        },
        // Only what looks exactly like what was asked for is ours; names are unique within a project.
        async () =>
          (await floatingIPs(`?name=${encodeURIComponent(name)}`, signal)).find(
            (f) => f.name === name && f.homeLocation === location && sameLabels(f.labels, labels),
          ),
        ['uniqueness_error'],
        signal,
      );
    },

    setProtection: (id, on, signal) =>
      act(id, 'change_protection', { delete: on }, (f) => f.protected === on, [], signal),

    // Re-assigning is one call; unassigning first would leave the address nowhere in between.
    assign: (id, serverId, signal) =>
      act(id, 'assign', { server: serverId }, (f) => f.server === serverId, ['floating_ip_assigned'], signal),

    unassign: (id, signal) => act(id, 'unassign', {}, (f) => f.server === null, ['floating_ip_not_assigned'], signal),

    async deleteFloatingIP(id, signal) {
      for (let n = 0; ; n += 1) {
        try {
          await transport.once({ method: 'DELETE', path: `/floating_ips/${id}`, schema: noBody }, signal);
          return;
        } catch (error) {
          signal?.throwIfAborted();
          if (!(error instanceof HetznerError)) throw error;
          if (error.code === 'not_found') return;
          if (!error.retryable) throw error;
          await transport.pause(error, n, signal);
        }
      }
    },

    get rateLimit() {
      return transport.rateLimit;
    },
  };
}

/**
 * What the refusal of a write to a floating IP that cannot exist says about the token. Whoever may write gets as far as
 * the resource: 404. GUESS: an API that checks the body before the resource answers 422, after the token as well.
 */
function classOf(error: HetznerError): 'read-write' | 'read-only' | 'unauthorized' | undefined {
  if (error.code === 'token_readonly' || error.code === 'forbidden') return 'read-only';
  if (error.code === 'unauthorized') return 'unauthorized';
  if (error.status === 404 || error.status === 422) return 'read-write';
  return undefined;
}

/** Whether the request may have been carried out although it failed: no answer came, or a gateway's. */
const answerLost = (error: HetznerError): boolean =>
  error.code === 'request_timeout' || error.code === 'unreachable' || (error.status ?? 0) >= 500;

function sameLabels(found: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => found[key] === value);
}
