import { describe, expect, it } from 'vitest';
import { parseMachineConfig } from '../read.ts';
import { addCertSANs, addMachineCertSANs } from './cert-sans.ts';
import { setEndpoint } from './endpoint.ts';
import { pinIssuer } from './issuer.ts';
import { addVip, chooseVipForm, removeVip } from './vip.ts';

const OLD = 'https://203.0.113.10:6443';
const NEW = 'https://198.51.100.20:6443';
const head = 'version: v1alpha1\nmachine:\n  type: controlplane\n';
const cluster = `cluster:\n  controlPlane:\n    endpoint: ${OLD}\n`;
const plain = head + cluster;
const link = { name: 'eth0', dhcp: true };
const vip = { ip: '198.51.100.20', token: 'token-1', link } as const;
const document = 'apiVersion: v1alpha1\nkind: HCloudVIPConfig\nname: 198.51.100.20\nlink: eth1\napiToken: token-0\n';
const interfaces = (entry: string): string => `${head}  network:\n    interfaces:\n      - ${entry}\n${cluster}`;

describe('an endpoint', () => {
  it.each([
    'http://198.51.100.20:6443',
    'https://198.51.100.20',
    `${NEW}/`,
    'https://2001:db8::1:6443',
    'https://a b:1',
    '',
  ])('%j is refused', (url) => {
    expect(() => setEndpoint(plain, url)).toThrow(/is no endpoint/);
  });

  it('keeps its comment, and its quotes', () => {
    const text = plain.replace(OLD, `'${OLD}' # node 1`);
    expect(setEndpoint(text, NEW)).toBe(text.replace(OLD, NEW));
  });

  it('is created where there is none', () => {
    expect(setEndpoint(head, NEW)).toBe(`${head}cluster:\n  controlPlane:\n    endpoint: ${NEW}\n`);
  });

  it('is replaced where it is written as a block', () => {
    expect(setEndpoint(plain.replace(OLD, `>-\n      ${OLD}`), NEW)).toBe(plain.replace(OLD, NEW));
  });

  it('keeps what shares it through an anchor', () => {
    const shared = plain.replace(OLD, `&url ${OLD}`) + '  apiServer:\n    extraArgs: {service-account-issuer: *url}\n';
    expect(setEndpoint(shared, NEW)).toBe(shared.replace(`&url ${OLD}`, `&url ${NEW}`).replace('*url', `"${OLD}"`));
  });
});

describe('certificate names', () => {
  it('are compared as addresses, whatever their spelling', () => {
    const text = `${plain}  apiServer:\n    certSANs: ["2001:0DB8:0::1", API.example.net]\n`;
    expect(addCertSANs(text, ['2001:db8::1', 'api.example.net'])).toBe(text);
  });

  it('are refused for a worker, but not those of the Talos API', () => {
    const worker = plain.replace('controlplane', 'worker');
    expect(() => addCertSANs(worker, ['a'])).toThrow(/no API server/);
    expect(addMachineCertSANs(worker, ['a'])).toContain('certSANs:');
  });

  it('are refused where the text was redacted', () => {
    expect(() => addCertSANs(plain.replace('machine:\n', 'machine:\n  token: REDACTED\n'), ['a'])).toThrow(
      /3:10: a value here is masked/,
    );
  });
});

describe('pinning the issuer', () => {
  const pin = { issuer: OLD, audiences: [OLD, NEW] };
  const args = (body: string): string => `${plain}  apiServer:\n    extraArgs: ${body}\n`;

  it('completes a list as a list, from Talos 1.13', () => {
    const text = args(`{service-account-issuer: ["${OLD}"], api-audiences: ["${OLD}"]}`);
    expect(pinIssuer(text, pin, 'v1.13.9')).toBe(
      text.replace(`api-audiences: ["${OLD}"`, `api-audiences: ["${OLD}", ${NEW}`),
    );
    expect(() => pinIssuer(text, pin, 'v1.12.11')).toThrow(/no single text/);
  });

  it('completes a text as a text', () => {
    const text = args(`{service-account-issuer: "${OLD}", api-audiences: "${OLD}"}`);
    expect(pinIssuer(text, pin, 'v1.12.11')).toBe(
      text.replace(`api-audiences: "${OLD}"`, `api-audiences: "${OLD},${NEW}"`),
    );
  });

  it('leaves a rotated issuer alone when the right one signs', () => {
    const text = args(`{service-account-issuer: ["${OLD}", "https://older"], api-audiences: "${OLD},${NEW}"}`);
    expect(pinIssuer(text, pin, 'v1.13.9')).toBe(text);
  });

  it.each(['"https://other:6443"', `["https://other:6443", "${OLD}"]`, '""', '[]'])(
    'is refused where the configuration says %s',
    (issuer) => {
      expect(() => pinIssuer(args(`{service-account-issuer: ${issuer}}`), pin, 'v1.13.9')).toThrow(/cannot be pinned/);
    },
  );

  it('leaves issuerURL of KubeServiceAccountConfig and completes the audiences', () => {
    const text = `${head}---\napiVersion: v1alpha1\nkind: KubeServiceAccountConfig\nissuer:\n  issuerURL: ${OLD}\n`;
    const pinned = pinIssuer(text, pin, 'v1.14.0-rc.1');
    expect(pinned).toBe(`${text}accepted:\n  audiences:\n    - ${OLD}\n    - ${NEW}\n`);
    expect(pinIssuer(pinned, pin, 'v1.14.0-rc.1')).toBe(pinned);
    expect(pinIssuer(text, { issuer: OLD, audiences: [] }, 'v1.14.0-rc.1')).toBe(text);
    expect(() => pinIssuer(text, { issuer: NEW, audiences: [] }, 'v1.14.0-rc.1')).toThrow(/cannot be pinned/);
  });

  it('is refused for a worker', () => {
    expect(() => pinIssuer(plain.replace('controlplane', 'worker'), pin, 'v1.13.9')).toThrow(/issues no tokens/);
  });
});

describe('a VIP', () => {
  it('takes the form of what is there, else the one without side effects', () => {
    const legacy = interfaces('{interface: eth0, vip: {ip: 10.0.0.1}}');
    expect(chooseVipForm('v1.11.6', parseMachineConfig(plain))).toBe('legacy');
    expect(chooseVipForm('v1.12.0', parseMachineConfig(plain))).toBe('document');
    expect(chooseVipForm('v1.13.9', parseMachineConfig(legacy))).toBe('legacy');
  });

  it('says dhcp only where the link lives by it', () => {
    const entry = 'network:\n    interfaces:\n      - interface: eth0\n';
    expect(addVip(plain, { ...vip, form: 'legacy' })).toContain(`${entry}        dhcp: true\n        vip:`);
    expect(addVip(plain, { ...vip, link: { ...link, dhcp: false }, form: 'legacy' })).toContain(`${entry}        vip:`);
  });

  it('leaves the dhcp of an entry as it is', () => {
    const text = interfaces('interface: eth0\n        dhcp: false');
    expect(addVip(text, { ...vip, form: 'legacy' })).toContain(
      'dhcp: false\n        vip:\n          ip: 198.51.100.20\n',
    );
  });

  it('gets its new token', () => {
    const text = addVip(plain, { ...vip, form: 'legacy' });
    expect(addVip(text, { ...vip, token: 'token-2', form: 'legacy' })).toBe(text.replace('token-1', 'token-2'));
  });

  it('gets its right link in the document form', () => {
    const text = `${plain}---\n${document}`;
    expect(addVip(text, { ...vip, form: 'document' })).toBe(text.replace('eth1', 'eth0').replace('token-0', 'token-1'));
  });

  it.each([
    ['the document form has it', `${plain}---\n${document}`, 'legacy', /already a VIP in the document form/],
    [
      'the legacy form has it',
      addVip(plain, { ...vip, form: 'legacy' }),
      'document',
      /already a VIP in the legacy form/,
    ],
    [
      'another link has it',
      interfaces('{interface: eth1, vip: {ip: 198.51.100.20, hcloud: {apiToken: x}}}'),
      'legacy',
      /on another link/,
    ],
    [
      'the link carries another',
      interfaces('{interface: eth0, vip: {ip: 198.51.100.21}}'),
      'legacy',
      /already carries the VIP 198\.51\.100\.21/,
    ],
    [
      'somebody else moves it',
      `${plain}---\n${document.replace('HCloud', 'Layer2').replace(/apiToken.*\n/, '')}`,
      'document',
      /moved by layer2/,
    ],
    [
      'a selector leaves it open',
      interfaces('{deviceSelector: {driver: virtio_net}, dhcp: true}'),
      'legacy',
      /^6:9: cannot tell whether this deviceSelector selects eth0/,
    ],
    ['the node is a worker', plain.replace('controlplane', 'worker'), 'document', /control planes/],
  ] as const)('is refused where %s', (_, text, form, message) => {
    expect(() => addVip(text, { ...vip, form })).toThrow(message);
  });

  it('goes from an entry whatever its place there', () => {
    const first = interfaces('vip: {ip: 198.51.100.20}\n        # about the link\n        interface: eth0');
    expect(parseMachineConfig(removeVip(first, vip.ip)).vips).toEqual([]);
    expect(removeVip(first, vip.ip)).toContain('# about the link\n        interface: eth0');
    const flow = interfaces('{interface: eth0, vip: {ip: 198.51.100.20}, mtu: 1450}');
    expect(removeVip(flow, vip.ip)).toBe(flow.replace(' vip: {ip: 198.51.100.20},', ''));
  });

  it('goes as a document without touching its neighbours', () => {
    const hostname = 'apiVersion: v1alpha1\nkind: HostnameConfig\nauto: stable\n';
    expect(removeVip(`${plain}---\n${document}---\n${hostname}`, vip.ip)).toBe(`${plain}---\n${hostname}`);
  });
});
