import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { addCertSANs, addMachineCertSANs } from '../../src/machine-config/edit/cert-sans.ts';
import { setEndpoint } from '../../src/machine-config/edit/endpoint.ts';
import { pinIssuer } from '../../src/machine-config/edit/issuer.ts';
import { addVip, removeVip } from '../../src/machine-config/edit/vip.ts';
import { applyPatches } from '../../src/machine-config/patch/apply.ts';
import { formsOf, toPatches } from '../../src/machine-config/patches.ts';
import { issuersOf, parseMachineConfig } from '../../src/machine-config/read.ts';
import { meaningOf } from './patch-oracle.ts';

const goldens = process.env['FAIRLEAD_GOLDENS'];
const folder = goldens === undefined ? undefined : path.join(goldens, 'talos', 'gen');
const there = folder !== undefined && existsSync(folder);

const NEW = 'https://198.51.100.20:6443';
const VIP = { ip: '198.51.100.20', token: 'throwaway-token-0001', link: { name: 'eth0', dhcp: true } };

/** Lines of `before` that are not in `after`, in order: an edit adds lines and changes few. */
function goneLines(before: string, after: string): string[] {
  const kept = after.split('\n');
  let at = 0;
  return before.split('\n').filter((line) => {
    const found = kept.indexOf(line, at);
    if (found >= 0) at = found + 1;
    return found < 0;
  });
}

describe.skipIf(!there)('edits of real generated configurations mean what the patches mean (needs FAIRLEAD_GOLDENS, a folder with talos/gen)', () => {
  const files = there ? globSync('*/controlplane.yaml', { cwd: folder }).toSorted() : [];

  it('has configurations to edit', () => {
    expect(files.length).toBeGreaterThan(0);
  });

  for (const file of files) {
    it(file, () => {
      const text = readFileSync(path.join(folder ?? '', file), 'utf8');
      const config = parseMachineConfig(text);
      const documents = config.endpoint?.form === 'document';
      const version = documents ? 'v1.14.0-rc.1' : 'v1.13.9';
      const old = issuersOf(config)[0] ?? '';
      const pin = { issuer: old, audiences: [NEW] };
      const names = ['198.51.100.20', 'old.example.net'].filter((name) => config.certSANs?.value.includes(name) !== true);
      const edits = [
        (before: string): string => addMachineCertSANs(before, names),
        (before: string): string => addCertSANs(before, names),
        (before: string): string => pinIssuer(before, pin, version),
        (before: string): string => setEndpoint(before, NEW),
        (before: string): string => addVip(before, { ...VIP, form: 'document' }),
      ];
      const edited = edits.reduce((before, edit) => edit(before), text);
      expect(edits.reduce((before, edit) => edit(before), edited)).toBe(edited);
      expect(goneLines(text, edited).length).toBeLessThanOrEqual(3);

      const wish = { endpoint: NEW, certSANs: names, machineCertSANs: names, issuer: pin, vip: { ip: VIP.ip, link: 'eth0', dhcp: true, tokenVariable: 'TOKEN' } };
      const patches = toPatches(wish, formsOf(version)).map((patch) => ({ name: patch.file, text: patch.text.replace('${TOKEN}', VIP.token) }));
      const nothing = [{ name: 'nothing', text: 'machine: {type: controlplane}\n' }];
      // A patch cannot take the path off an endpoint; an edit sets the whole string.
      if (!/\/[^/]+$/.test(config.endpoint?.value.replace('https://', '') ?? '')) {
        expect(meaningOf(applyPatches(edited, nothing, version))).toEqual(meaningOf(applyPatches(text, patches, version)));
      }
      expect(removeVip(addVip(text, { ...VIP, form: 'document' }), VIP.ip)).toBe(text);
      if (!documents) {
        const legacy = addVip(text, { ...VIP, form: 'legacy' });
        expect(parseMachineConfig(legacy).vips).toMatchObject([{ ip: VIP.ip, form: 'legacy', dhcp: true }]);
        expect(goneLines(text, legacy).length).toBeLessThanOrEqual(1);
      }
    });
  }
});
