import path from 'node:path';
import { ReadableStream } from 'node:stream/web';
import { EXIT, Failure, textOf } from '../base/failure.ts';
import { Redacted } from '../base/redacted.ts';
import type { Files } from '../consumers/files.ts';

/** Where the key that opens the journal is looked for. */
export interface SealPorts {
  readonly files: Files;
  readonly clock: { wall(): Date };
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface SealConfig {
  /** age recipients (`age1…`) from the configuration; none means this user's own key, made on first use. */
  readonly recipients: readonly string[];
  /** The text of an age identity file, where the configuration names one. */
  readonly identity: (() => Promise<Redacted>) | undefined;
  /** The state directory: the key must never lie in it. undefined where the state is kept in the cluster. */
  readonly stateDir: string | undefined;
}

/** Encrypts what is secret in the journal. */
export interface Seal {
  /** Who can open it. */
  readonly recipients: readonly string[];
  /** ASCII armour, so that it fits into a Secret as well as into a file. */
  seal(text: Redacted): Promise<string>;
  /** Binary, as `age -d` reads it. The stream is encrypted as it comes, never held whole. */
  sealStream(bytes: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>>;
}

/** The folder of the user's own settings: `$XDG_CONFIG_HOME/fairlead`, else `~/.config/fairlead`; undefined without a home. */
function settingsFolder(env: SealPorts['env']): string | undefined {
  const { XDG_CONFIG_HOME: xdg, HOME: home } = env;
  if (xdg !== undefined && path.isAbsolute(xdg)) return path.join(xdg, 'fairlead');
  return home === undefined || home === '' ? undefined : path.join(home, '.config', 'fairlead');
}

/** The user's own key file; undefined where the user has no home. */
export const ownKeyFile = (env: SealPorts['env']): string | undefined => {
  const folder = settingsFolder(env);
  return folder === undefined ? undefined : path.join(folder, 'age.key');
};

/**
 * The seal for a run that will change something: to the recipients of the configuration, else to the user's own key, which is made
 * now if there is none. Refuses (exit 4) where nothing could be encrypted, because originals in clear are never written.
 */
export async function sealFor(ports: SealPorts, config: SealConfig): Promise<Seal> {
  const recipients = config.recipients.length > 0 ? config.recipients : [await ownRecipient(ports, config.stateDir)];
  const { Encrypter, armor } = await import('age-encryption');
  const encrypter = new Encrypter();
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient);
    } catch (error) {
      throw refused(
        'journal-recipient',
        `${recipient} is no age recipient`,
        textOf(error),
        'Write the public key that age-keygen prints (age1…) under journal.recipients.',
      );
    }
  }
  return {
    recipients,
    seal: async (text) => armor.encode(await encrypter.encrypt(text.reveal())),
    sealStream: (bytes) => encrypter.encrypt(ReadableStream.from(bytes) as globalThis.ReadableStream<Uint8Array>),
  };
}

/** Opens what was sealed before. Throws a Failure where no key is there or none fits. */
export async function openSealed(ports: SealPorts, config: SealConfig, sealed: string): Promise<Redacted> {
  const { Decrypter, armor } = await import('age-encryption');
  const decrypter = new Decrypter();
  const file = ownKeyFile(ports.env);
  const own = file === undefined ? undefined : await ports.files.read(file);
  const configured = await config.identity?.();
  const identities = [...identitiesIn(configured?.reveal() ?? ''), ...identitiesIn(own ?? '')];
  const where = `${config.identity === undefined ? '' : 'journal.identity, '}${file ?? 'no home folder'}`;
  const next = 'Point journal.identity at the age key of one of journal.recipients (file:PATH or env:NAME).';
  if (identities.length === 0)
    throw refused('journal-key-missing', 'The journal cannot be opened', `there is no age key (${where})`, next);
  try {
    for (const identity of identities) decrypter.addIdentity(identity);
    return new Redacted(await decrypter.decrypt(armor.decode(sealed), 'text'));
  } catch (error) {
    // The library's text names stanzas and lengths, never key or content.
    throw refused(
      'journal-key-wrong',
      'The journal cannot be opened',
      `no age key fits (${where}): ${textOf(error)}`,
      next,
    );
  }
}

const identitiesIn = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('AGE-SECRET-KEY-'));

/** The public half of the user's own key. The file is written as age-keygen writes it, 0600. */
async function ownRecipient({ files, clock, env }: SealPorts, stateDir: string | undefined): Promise<string> {
  const file = ownKeyFile(env);
  const next = 'Make a key (age-keygen -o age.key), keep it safe, and write its public half under journal.recipients.';
  if (file === undefined)
    throw refused(
      'journal-key-missing',
      'What is secret in the journal cannot be encrypted',
      'there is no journal.recipients, and no home folder for a key of your own',
      next,
    );
  if (stateDir !== undefined && !path.relative(stateDir, file).startsWith('..')) {
    throw refused(
      'journal-key-beside-journal',
      'What is secret in the journal would not be protected',
      `the key ${file} would lie in the state directory ${stateDir}`,
      'Set state: to another folder, or journal.recipients.',
    );
  }
  const { generateX25519Identity, identityToRecipient } = await import('age-encryption');
  try {
    const [identity] = identitiesIn((await files.read(file)) ?? '');
    if (identity !== undefined) return await identityToRecipient(identity);
    if ((await files.read(file)) !== undefined) throw new Error(`${file} holds no AGE-SECRET-KEY line`);
    const made = await generateX25519Identity();
    const recipient = await identityToRecipient(made);
    await files.makeFolder(path.dirname(file), 0o700);
    await files.write(
      file,
      `# created: ${clock.wall().toISOString()} by fairlead\n# public key: ${recipient}\n${made}\n`,
      0o600,
    );
    return recipient;
  } catch (error) {
    throw refused(
      'journal-key-unusable',
      'What is secret in the journal cannot be encrypted',
      `your own key ${file} cannot be used: ${textOf(error)}`,
      next,
    );
  }
}

const refused = (code: string, what: string, why: string, next: string): Failure =>
  new Failure({ code, exit: EXIT.refused, what, why, state: 'Nothing was changed.', next });
