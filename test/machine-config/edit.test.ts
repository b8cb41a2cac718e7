import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addCertSANs, addMachineCertSANs } from '../../src/machine-config/edit/cert-sans.ts';
import { setEndpoint } from '../../src/machine-config/edit/endpoint.ts';
import { pinIssuer } from '../../src/machine-config/edit/issuer.ts';
import { addVip, removeVip } from '../../src/machine-config/edit/vip.ts';
import { applyPatches } from '../../src/machine-config/patch/apply.ts';
import { meaningOf } from '../goldens/patch-oracle.ts';
import { OLD, type Sample, samples, write } from './sample.ts';

const NEW = 'https://198.51.100.20:6443';
const NAMES = ['198.51.100.20', 'api.example.net', '2001:db8::10'];
const VIP = { ip: '198.51.100.20', token: 'throwaway-token-0001' };
const eth0 = { name: 'eth0', dhcp: true, facts: { busPath: '0000:01:00.0' } };

// The meanings are plain data of any shape; the tests change them freely.
// oxlint-disable-next-line typescript/no-explicit-any
type Documents = Record<string, any>[];
type Edit = (text: string) => string;
/** Bytes of `before` that are not in `after` when both ends are laid over each other: what one splice took out. */
function lost(before: string, after: string): number {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  return before.length - head - tail;
}

const by = (documents: Documents, kind: string): Documents[number] | undefined =>
  documents.find((document) => document['kind'] === kind);

function check(sample: Sample, edit: Edit, change: (documents: Documents) => void, mayTake: number): void {
  const text = write(sample);
  const edited = edit(text);
  const expected = meaningOf(text) as Documents;
  change(expected);
  expect(meaningOf(edited)).toEqual(expected);
  expect(edit(edited)).toBe(edited);
  expect(lost(text, edited)).toBeLessThanOrEqual(mayTake);
  if (sample.style.eol === '\r\n') expect(edited.replaceAll('\r\n', '')).not.toContain('\n');
}

/** The version in which a sample's form is at home. */
const versionOf = (sample: Sample): string => (sample.form === 'document' ? 'v1.14.0-rc.1' : 'v1.13.9');

/** Our edit and Talos' patcher must mean the same. */
function agrees(sample: Sample, edit: Edit, patch: string): void {
  const text = write(sample);
  const patched = applyPatches(text, [{ name: 'patch.yaml', text: patch }], versionOf(sample));
  const ours = applyPatches(
    edit(text),
    [{ name: 'nothing.yaml', text: 'machine:\n  type: controlplane\n' }],
    versionOf(sample),
  );
  expect(meaningOf(ours)).toEqual(meaningOf(patched));
}

const listed = (names: readonly string[]): string => `[${names.map((name) => JSON.stringify(name)).join(', ')}]`;

describe('editing leaves every other byte alone, means exactly the change, and is idempotent', () => {
  it('listing names for the API server', () => {
    const names = [...NAMES, '203.0.113.10'];
    fc.assert(
      fc.property(samples, (sample) => {
        const edit: Edit = (text) => addCertSANs(text, names);
        let added: string[] = [];
        check(
          sample,
          edit,
          (documents) => {
            const holder =
              sample.form === 'document'
                ? by(documents, 'KubeAPIServerConfig')!
                : ((documents[0]!['cluster'].apiServer ??= {}), documents[0]!['cluster'].apiServer);
            const key = sample.form === 'document' ? 'certExtraSANs' : 'certSANs';
            added = names.filter((name) => !(holder[key] ?? []).includes(name));
            holder[key] = [...(holder[key] ?? []), ...added];
          },
          '*names'.length,
        );
        const patch =
          sample.form === 'document'
            ? `apiVersion: v1alpha1\nkind: KubeAPIServerConfig\ncertExtraSANs: ${listed(added)}\n`
            : `cluster:\n  apiServer:\n    certSANs: ${listed(added)}\n`;
        agrees(sample, edit, patch);
      }),
      { numRuns: 120 },
    );
  });

  it('listing names for the Talos API, also where another list shares them through an anchor', () => {
    fc.assert(
      fc.property(samples, (sample) => {
        const shared = sample.sans === 'alias' && sample.form === 'legacy' && sample.section === 'block';
        check(
          sample,
          (text) => addMachineCertSANs(text, NAMES),
          ([first]) => {
            first!['machine'].certSANs = [...(first!['machine'].certSANs ?? []), ...NAMES];
          },
          shared ? 100_000 : '~'.length,
        );
        agrees(sample, (text) => addMachineCertSANs(text, NAMES), `machine:\n  certSANs: ${listed(NAMES)}\n`);
      }),
      { numRuns: 120 },
    );
  });

  it('setting the endpoint', () => {
    fc.assert(
      fc.property(samples, (sample) => {
        const edit: Edit = (text) => setEndpoint(text, NEW);
        check(
          sample,
          edit,
          (documents) => {
            if (sample.form === 'document') by(documents, 'KubeClusterConfig')!['endpoint'] = NEW;
            else documents[0]!['cluster'].controlPlane.endpoint = NEW;
          },
          OLD.length,
        );
        agrees(
          sample,
          edit,
          sample.form === 'document'
            ? `apiVersion: v1alpha1\nkind: KubeClusterConfig\nendpoint: ${NEW}\n`
            : `cluster:\n  controlPlane:\n    endpoint: ${NEW}\n`,
        );
      }),
      { numRuns: 120 },
    );
  });

  it('pinning the issuer', () => {
    fc.assert(
      fc.property(samples, (sample) => {
        const edit: Edit = (text) => pinIssuer(text, { issuer: OLD, audiences: [OLD, NEW] }, versionOf(sample));
        const args = { 'service-account-issuer': OLD, 'api-audiences': `${OLD},${NEW}` };
        check(
          sample,
          edit,
          (documents) => {
            const holder =
              sample.form === 'document'
                ? by(documents, 'KubeAPIServerConfig')!
                : ((documents[0]!['cluster'].apiServer ??= {}), documents[0]!['cluster'].apiServer);
            holder.extraArgs = { ...holder.extraArgs, ...args };
          },
          0,
        );
        const body = `service-account-issuer: ${OLD}\n      api-audiences: ${OLD},${NEW}\n`;
        agrees(
          sample,
          edit,
          sample.form === 'document'
            ? `apiVersion: v1alpha1\nkind: KubeAPIServerConfig\nextraArgs:\n      ${body}`
            : `cluster:\n  apiServer:\n    extraArgs:\n      ${body}`,
        );
      }),
      { numRuns: 150 },
    );
  });

  it('adding a VIP as an entry of interfaces, and taking it out again', () => {
    fc.assert(
      fc.property(samples, (sample) => {
        const edit: Edit = (text) => addVip(text, { ...VIP, link: eth0, form: 'legacy' });
        const vip = { ip: VIP.ip, hcloud: { apiToken: VIP.token } };
        check(
          sample,
          edit,
          ([first]) => {
            const network = (first!['machine'].network ??= {});
            network.interfaces ??= [];
            if (network.interfaces.length === 0) network.interfaces.push({ interface: 'eth0', dhcp: true });
            network.interfaces[0].vip = vip;
          },
          0,
        );
        const names =
          sample.network === 'selector'
            ? 'deviceSelector: {busPath: "0000:01:*"}'
            : 'interface: eth0\n        dhcp: true';
        agrees(
          sample,
          edit,
          `machine:\n  network:\n    interfaces:\n      - ${names}\n        vip:\n          ip: ${VIP.ip}\n          hcloud:\n            apiToken: ${VIP.token}\n`,
        );
        const text = write(sample);
        const back = removeVip(edit(text), VIP.ip);
        expect(removeVip(back, VIP.ip)).toBe(back);
        if (['interfaces', 'interfaces-flow', 'selector'].includes(sample.network))
          expect(meaningOf(back)).toEqual(meaningOf(text));
        else expect(JSON.stringify(meaningOf(back))).not.toContain(VIP.ip);
      }),
      { numRuns: 150 },
    );
  });

  it('adding a VIP as a document, and taking it out again', () => {
    fc.assert(
      fc.property(samples, (sample) => {
        const edit: Edit = (text) => addVip(text, { ...VIP, link: eth0, form: 'document' });
        const document = {
          apiVersion: 'v1alpha1',
          kind: 'HCloudVIPConfig',
          name: VIP.ip,
          link: 'eth0',
          apiToken: VIP.token,
        };
        check(sample, edit, (documents) => void documents.push(document), 0);
        agrees(
          sample,
          edit,
          `apiVersion: v1alpha1\nkind: HCloudVIPConfig\nname: ${VIP.ip}\nlink: eth0\napiToken: ${VIP.token}\n`,
        );
        const text = write(sample);
        const back = removeVip(edit(text), VIP.ip);
        expect(back).toBe(sample.style.finalNewline ? text : `${text}${sample.style.eol}`);
      }),
      { numRuns: 120 },
    );
  });
});
