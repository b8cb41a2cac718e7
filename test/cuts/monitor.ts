import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import type { LabClient } from '../../lab/world/client.ts';

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: { readonly server: string; 'certificate-authority-data': string } }[];
  readonly users: readonly {
    readonly user: { 'client-certificate-data': string; 'client-key-data': string };
  }[];
}

interface Credentials {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface Monitor {
  /** What was seen so far, a sentence each. */
  readonly violations: readonly string[];
  readonly samples: { endpoints: number; tokens: number; claims: number };
  /** An administrator's call of the test's own; the status, or undefined where nobody answered. */
  stop(): Promise<void>;
}

const EVERY_MS = 300;
/** As long as two nodes may both believe to have the address, and nobody of a stored endpoint answers beyond one restart. */
interface Patience {
  readonly darkMs: number;
  readonly claimsMs: number;
}

const serverOf = async (file: string): Promise<string> =>
  (parse(await readFile(file, 'utf8')) as Kubeconfig).clusters[0]?.cluster.server ?? '';

/** Watches a lab from outside while it is changed: endpoints that consumers store, an old token, claims of the address. */
export async function startMonitor(lab: LabClient, patience: Patience): Promise<Monitor> {
  const info = await lab.info();
  const config = parse(await readFile(info.files.kubeconfig, 'utf8')) as Kubeconfig;
  const user = config.users[0]?.user;
  const decode = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64');
  const credentials: Credentials = {
    ca: decode(config.clusters[0]?.cluster['certificate-authority-data']),
    cert: decode(user?.['client-certificate-data']),
    key: decode(user?.['client-key-data']),
  };
  const planes = async (): Promise<string[]> =>
    (await lab.info()).nodes.filter((node) => node.role === 'control-plane').map((node) => node.kubernetesApi);
  const token = await mint(await planes(), credentials);
  const old = await serverOf(info.files.kubeconfig);
  const violations: string[] = [];
  const tell = (text: string): void => {
    if (violations.length < 50) violations.push(`${new Date().toISOString()} ${text}`);
  };
  const samples = { endpoints: 0, tokens: 0, claims: 0 };
  const over = new AbortController();

  const every = async (work: () => Promise<void>): Promise<void> => {
    while (!over.signal.aborted) {
      await work().catch(() => {});
      await sleep(EVERY_MS, undefined, { signal: over.signal }).catch(() => {});
    }
  };

  let answeredAt: number | undefined;
  let told = false;
  const endpoints = every(async () => {
    const stored = new Set([(await lab.info()).endpoint, await serverOf(info.files.kubeconfig), old]);
    const answers = await Promise.all([...stored].map((server) => call(`${server}/readyz`, credentials)));
    const now = performance.now();
    samples.endpoints += 1;
    if (answers.some((answer) => answer?.status === 200)) {
      answeredAt = now;
      told = false;
    } else if (answeredAt !== undefined && now - answeredAt > patience.darkMs && !told) {
      told = true;
      tell(`no stored endpoint answered for ${Math.round(now - answeredAt)} ms: ${[...stored].join(', ')}`);
    }
  });
  const tokens = every(async () => {
    for (const server of await planes()) {
      const answer = await call(
        `${server}/api/v1/namespaces/default/configmaps?limit=1`,
        { ca: credentials.ca },
        token,
      );
      if (answer === undefined) continue;
      samples.tokens += 1;
      if (answer.status === 401) tell(`a token of before was refused at ${server}`);
    }
  });
  let doubleSince: number | undefined;
  const claims = every(async () => {
    const double = (await lab.info()).floatingIPs.find(({ claimedBy }) => claimedBy.length > 1);
    const now = performance.now();
    samples.claims += 1;
    if (double === undefined) doubleSince = undefined;
    else {
      doubleSince ??= now;
      if (now - doubleSince > patience.claimsMs) tell(`${double.ip} is claimed by ${double.claimedBy.join(' and ')}`);
    }
  });
  return {
    violations,
    samples,
    async stop() {
      over.abort();
      await Promise.all([endpoints, tokens, claims]);
    },
  };
}

async function mint(servers: readonly string[], credentials: Credentials): Promise<string> {
  for (const server of servers) {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } };
    const where = `${server}/api/v1/namespaces/default/serviceaccounts/default/token`;
    const answer = await call(where, credentials, undefined, body);
    const minted =
      answer?.status === 201 ? (JSON.parse(answer.body) as { status: { token: string } }).status.token : '';
    if (minted !== '') return minted;
  }
  throw new Error('no API server gave a token to watch');
}

function call(
  url: string,
  credentials: Partial<Credentials>,
  token?: string,
  body?: unknown,
): Promise<{ status: number; body: string } | undefined> {
  return new Promise((resolve) => {
    const sent = request(
      url,
      {
        ...credentials,
        agent: false,
        method: body === undefined ? 'GET' : 'POST',
        signal: AbortSignal.timeout(3_000),
        headers: {
          'user-agent': 'fairlead-monitor',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        response.on('error', () => resolve(undefined));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
      },
    );
    sent.once('error', () => resolve(undefined));
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
