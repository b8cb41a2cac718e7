import { EXIT, Failure, textOf } from '../base/failure.ts';
import { OWNER_LABEL } from '../model/address.ts';
import type { Action } from '../model/plan.ts';
import type { Run } from './run.ts';

/** Reserves the address and protects it before anything else can happen to it. */
export async function reserveAddress(
  run: Run,
  action: Extract<Action, { kind: 'reserve-address' }>,
): Promise<readonly string[]> {
  const hetzner = run.systems.hetzner(run.loaded.hetznerToken);
  const made = await hetzner.createFloatingIP(
    {
      name: action.name,
      location: action.location,
      description: `API endpoint of the Kubernetes cluster ${run.loaded.config.name}`,
      labels: { [OWNER_LABEL]: run.loaded.config.name },
    },
    run.signal,
  );
  await protect(run, made.id, made.ip);
  return protectedEvidence(run, made.id);
}

export async function protectAddress(
  run: Run,
  action: Extract<Action, { kind: 'protect-address' }>,
): Promise<readonly string[]> {
  await protect(run, action.id, action.ip);
  return protectedEvidence(run, action.id);
}

/** Not given up half-way by an abort: an address without protection is one slip from being lost. */
async function protect(run: Run, id: number, ip: string): Promise<void> {
  try {
    await run.systems.hetzner(run.loaded.hetznerToken).setProtection(id, true);
  } catch (error) {
    throw new Failure({
      code: 'protection-refused',
      exit: EXIT.refused,
      what: `The cloud does not protect the address ${ip} from being deleted`,
      why: textOf(error),
      state: `Floating IP ${id} (${ip}) is there, without delete protection. No node, kubeconfig or file was changed.`,
      next: `Find out why (the token must be read/write; hcloud floating-ip enable-protection ${id} delete), then run fairlead apply again: it goes on here. Unused, the address costs money: hcloud floating-ip delete ${id}.`,
      cause: error,
    });
  }
}

export async function assignAddress(
  run: Run,
  action: Extract<Action, { kind: 'assign-address' }>,
): Promise<readonly string[]> {
  const hetzner = run.systems.hetzner(run.loaded.hetznerToken);
  await hetzner.assign(action.id, action.server, run.signal);
  const now = await hetzner.floatingIP(action.id, run.signal);
  if (now?.server === action.server) return [`floating IP ${action.id} is assigned to server ${action.server}`];
  throw missing(`Floating IP ${action.ip} was not assigned`, `the cloud says server ${now?.server ?? 'none'}`);
}

/** Gives the address back for good: asked for by its name, and only when nothing of the cluster names it any more. */
export async function releaseAddress(
  run: Run,
  action: Extract<Action, { kind: 'release-address' }>,
): Promise<readonly string[]> {
  const hetzner = run.systems.hetzner(run.loaded.hetznerToken);
  await hetzner.setProtection(action.id, false, run.signal);
  await hetzner.unassign(action.id, run.signal);
  await hetzner.deleteFloatingIP(action.id, run.signal);
  return [`floating IP ${action.id} (${action.ip}) is released`];
}

async function protectedEvidence(run: Run, id: number): Promise<readonly string[]> {
  const now = await run.systems.hetzner(run.loaded.hetznerToken).floatingIP(id, run.signal);
  if (now?.protected === true) return [`floating IP ${id} is ${now.ip}, delete protection on`];
  throw missing(
    `Floating IP ${id} is not protected`,
    now === undefined ? 'the cloud does not list it' : 'the cloud lists it without protection',
  );
}

const missing = (what: string, why: string): Failure =>
  new Failure({
    code: 'cloud-effect-missing',
    what,
    why,
    state: 'The machine configs of the cluster were not changed by this step.',
    next: 'Look at the address in the Hetzner console, then run fairlead apply again.',
  });
