import { Failure } from '../../src/base/failure.ts';
import { VERSION } from '../../src/base/version.ts';

/** The lab's own hand on its cloud, over the same HTTP as everyone's: `lab node …` is nothing a user could not do. */
export interface CloudCalls {
  /** The lab's own network, the project's first: a new server is attached to it. */
  networks(): Promise<readonly number[]>;
  createServer(body: Record<string, unknown>): Promise<{ id: number }>;
  deleteServer(id: number): Promise<void>;
  act(id: number, action: 'poweron' | 'poweroff' | 'reboot' | 'shutdown'): Promise<void>;
}

interface Answer {
  readonly server?: { readonly id: number };
  readonly networks?: readonly { readonly id: number }[];
  readonly action?: {
    readonly id: number;
    readonly status: string;
    readonly error?: { readonly message: string } | null;
  };
  readonly error?: { readonly code: string; readonly message: string };
}

export interface CloudCallPorts {
  readonly url: () => string;
  readonly token: string;
  /** Resolves when an action has ended: the lab need not ask, and takes nothing of the project's budget. */
  readonly ended: (action: number) => Promise<void>;
}

export function createCloudCalls(ports: CloudCallPorts): CloudCalls {
  const call = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(`${ports.url()}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${ports.token}`,
        'user-agent': `fairlead-lab/${VERSION}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = (response.status === 204 ? {} : await response.json()) as Answer;
    if (answer.error !== undefined)
      throw refused(
        `${method} ${path}`,
        `${answer.error.message} (${answer.error.code})`,
        response.status >= 500 ? undefined : HINTS[answer.error.code],
      );
    return answer;
  };

  const done = async (what: string, action: Answer['action']): Promise<void> => {
    let current = action;
    while (current?.status === 'running') {
      await ports.ended(current.id);
      current = (await call('GET', `/actions/${current.id}`)).action;
    }
    if (current?.status === 'error') throw refused(what, current.error?.message ?? 'the action failed');
  };

  return {
    networks: async () => ((await call('GET', '/networks')).networks ?? []).slice(0, 1).map(({ id }) => id),
    async createServer(body) {
      const answer = await call('POST', '/servers', body);
      if (answer.server === undefined) throw refused('POST /servers', 'the answer holds no server');
      await done('create server', answer.action);
      return answer.server;
    },
    deleteServer: async (id) => done('delete server', (await call('DELETE', `/servers/${id}`)).action),
    act: async (id, action) => done(action, (await call('POST', `/servers/${id}/actions/${action}`)).action),
  };
}

/** What a person does about it, by the API's code. */
const HINTS: Readonly<Record<string, string>> = {
  locked: 'Another action still runs on it, a boot for example: run the same command again in a moment.',
  protected: 'It is protected: lift that with `hcloud server disable-protection NAME delete rebuild`.',
  rate_limit_exceeded: "The project's budget of requests is used up: it fills again by one a second.",
  unauthorized: "A fault has revoked the lab's own token: see `fairlead lab fault show`.",
};

const refused = (what: string, why: string, next?: string): Failure =>
  new Failure({
    code: 'lab-cloud-refused',
    what: `The lab's cloud refused: ${what}`,
    why,
    state: 'The lab stands as it did before this call.',
    next: next ?? 'See `fairlead lab info` and `fairlead lab requests`.',
  });
