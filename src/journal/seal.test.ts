import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { Redacted } from '../base/redacted.ts';
import { nodeFiles } from '../consumers/files.ts';
import { openSealed, ownKeyFile, sealFor } from './seal.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'fairlead-seal-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const ports = (env: Record<string, string>) => ({ files: nodeFiles, clock: systemClock, env });
const secret = new Redacted('machine: {token: canary}');

test('without recipients a key of the user is made once, 0600, outside the state directory, and opens what it sealed', async () => {
  const own = ports({ HOME: home });
  const config = { recipients: [], identity: undefined, stateDir: path.join(home, 'state') };
  const first = await sealFor(own, config);
  const second = await sealFor(own, config);
  expect(second.recipients).toEqual(first.recipients);
  const file = ownKeyFile({ HOME: home }) ?? '';
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(path.dirname(file))).mode & 0o777).toBe(0o700);
  const sealed = await first.seal(secret);
  expect(sealed).not.toContain('canary');
  expect((await openSealed(own, config, sealed)).reveal()).toBe(secret.reveal());
});

test('with recipients the configured identity opens it, another one does not, and nothing is made in the home', async () => {
  const [identity, other] = [await generateX25519Identity(), await generateX25519Identity()];
  const config = {
    recipients: [await identityToRecipient(identity)],
    identity: async () => new Redacted(`# mine\n${identity}\n`),
    stateDir: undefined,
  };
  const nowhere = ports({ HOME: home });
  const sealed = await (await sealFor(nowhere, config)).seal(secret);
  await expect(readFile(ownKeyFile({ HOME: home }) ?? '')).rejects.toThrow(/ENOENT/);
  expect((await openSealed(nowhere, config, sealed)).reveal()).toBe(secret.reveal());
  const wrong = { ...config, identity: async () => new Redacted(other) };
  await expect(openSealed(nowhere, wrong, sealed)).rejects.toMatchObject({ code: 'journal-key-wrong', exit: 4 });
});

test('it refuses where nothing can be encrypted: no home, a key in the state directory, a broken key, a wrong recipient', async () => {
  const base = { recipients: [], identity: undefined, stateDir: path.join(home, 'state') };
  await expect(sealFor(ports({}), base)).rejects.toMatchObject({ code: 'journal-key-missing', exit: 4 });
  const inside = { ...base, stateDir: home };
  await expect(sealFor(ports({ HOME: home }), inside)).rejects.toMatchObject({ code: 'journal-key-beside-journal' });
  const file = ownKeyFile({ XDG_CONFIG_HOME: home }) ?? '';
  await nodeFiles.makeFolder(path.dirname(file), 0o700);
  await writeFile(file, 'not a key\n');
  await expect(sealFor(ports({ XDG_CONFIG_HOME: home }), base)).rejects.toMatchObject({ code: 'journal-key-unusable' });
  expect(await readFile(file, 'utf8')).toBe('not a key\n');
  const wrong = { ...base, recipients: ['age1nonsense'] };
  await expect(sealFor(ports({ HOME: home }), wrong)).rejects.toMatchObject({ code: 'journal-recipient' });
});
