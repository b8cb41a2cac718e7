import fc from 'fast-check';

/** How a generated configuration is written: everything an editor must cope with and must not touch. */
export interface Style {
  readonly step: 2 | 4;
  readonly dash: 'aligned' | 'indented';
  readonly eol: '\n' | '\r\n';
  readonly comments: boolean;
  readonly quotes: 'plain' | 'single' | 'double';
  readonly finalNewline: boolean;
}

export type ListStyle =
  | 'missing'
  | 'null'
  | 'tilde'
  | 'empty'
  | 'flow'
  | 'flow-comma'
  | 'flow-lines'
  | 'block'
  | 'alias';

export interface Sample {
  readonly style: Style;
  readonly form: 'legacy' | 'document';
  readonly machineSans: ListStyle;
  readonly sans: ListStyle;
  readonly section: 'missing' | 'null' | 'flow' | 'block';
  readonly network: 'missing' | 'empty' | 'nameservers' | 'interfaces' | 'interfaces-flow' | 'selector';
  readonly args: 'missing' | 'flow' | 'block';
  readonly trailing: 'none' | 'hostname' | 'hostname-and-comment' | 'two';
}

const LISTS: readonly ListStyle[] = [
  'missing',
  'null',
  'tilde',
  'empty',
  'flow',
  'flow-comma',
  'flow-lines',
  'block',
  'alias',
];

export const samples: fc.Arbitrary<Sample> = fc.record({
  style: fc.record({
    step: fc.constantFrom(2, 4),
    dash: fc.constantFrom('aligned', 'indented'),
    eol: fc.constantFrom('\n', '\r\n'),
    comments: fc.boolean(),
    quotes: fc.constantFrom('plain', 'single', 'double'),
    finalNewline: fc.boolean(),
  }),
  form: fc.constantFrom('legacy', 'document'),
  machineSans: fc.constantFrom(...LISTS.filter((list) => list !== 'alias')),
  sans: fc.constantFrom(...LISTS),
  section: fc.constantFrom('missing', 'null', 'flow', 'block'),
  network: fc.constantFrom('missing', 'empty', 'nameservers', 'interfaces', 'interfaces-flow', 'selector'),
  args: fc.constantFrom('missing', 'flow', 'block'),
  trailing: fc.constantFrom('none', 'hostname', 'hostname-and-comment', 'two'),
});

export const OLD = 'https://203.0.113.10:6443';

/** The text of a sample: a control plane's configuration that Talos would take. */
export function write(sample: Sample): string {
  const { style } = sample;
  const pad = (depth: number): string => ' '.repeat(style.step * depth);
  const dash = (depth: number): string => (style.dash === 'aligned' ? pad(depth) : pad(depth + 1));
  const note = (text: string): string => (style.comments ? ` # ${text}` : '');
  const own = (depth: number, text: string): string[] =>
    style.comments ? [`${pad(depth)}# ${text}: with [brackets], {braces} and 'quotes'`] : [];
  const quoted = (text: string): string => ({ plain: text, single: `'${text}'`, double: `"${text}"` })[style.quotes];
  const list = (depth: number, key: string, kind: ListStyle, anchor = ''): string[] => {
    const head = `${pad(depth)}${key}:`;
    switch (kind) {
      case 'missing':
        return [];
      case 'null':
        return [`${head}${note('nothing yet')}`];
      case 'tilde':
        return [`${head} ~${note('nothing')}`];
      case 'empty':
        return [`${head}${anchor} []${note('none')}`];
      case 'flow':
        return [`${head}${anchor} [ 203.0.113.10, ${quoted('old.example.net')} ]${note('two')}`];
      case 'flow-comma':
        return [`${head}${anchor} [203.0.113.10,]`];
      case 'flow-lines':
        return [
          `${head}${anchor} [${note('open')}`,
          `${pad(depth + 1)}203.0.113.10,${note('first')}`,
          `${pad(depth + 1)}old.example.net${note('last')}`,
          `${pad(depth)}]`,
        ];
      case 'block':
        return [
          `${head}${anchor}${note('names')}`,
          ...own(depth, 'inside'),
          `${dash(depth)}- 203.0.113.10${note('node')}`,
          `${dash(depth)}- ${quoted('old.example.net')}${note('name')}`,
        ];
      case 'alias':
        return ['flow', 'flow-comma', 'flow-lines', 'block', 'empty'].includes(sample.machineSans)
          ? [`${head} *names${note('the same')}`]
          : [];
    }
  };
  const network = (): string[] => {
    const head = `${pad(1)}network:`;
    const item = `${dash(2)}- `;
    const inner = ' '.repeat(item.length);
    switch (sample.network) {
      case 'missing':
        return [];
      case 'empty':
        return [`${head} {}${note('default')}`];
      case 'nameservers':
        return [head, `${pad(2)}nameservers: [185.12.64.2]`];
      case 'interfaces':
        return [
          head,
          `${pad(2)}interfaces:`,
          ...own(2, 'links'),
          `${item}interface: eth0${note('public')}`,
          `${inner}dhcp: true`,
          `${item}interface: eth1`,
          `${inner}mtu: 1450${note('vSwitch')}`,
        ];
      case 'interfaces-flow':
        return [head, `${pad(2)}interfaces: [{interface: eth0, dhcp: true}, {interface: eth1, mtu: 1450, }]`];
      case 'selector':
        return [
          head,
          `${pad(2)}interfaces:`,
          `${item}deviceSelector:`,
          `${inner}${' '.repeat(style.step)}busPath: "0000:01:*"`,
          `${inner}dhcp: true`,
        ];
    }
  };
  const args = (depth: number): string[] => {
    if (sample.args === 'missing') return [];
    if (sample.args === 'flow') return [`${pad(depth)}extraArgs: {v: "2"}${note('more logs')}`];
    return [`${pad(depth)}extraArgs:`, `${pad(depth + 1)}v: "2"${note('more logs')}`];
  };
  const apiServer = (): string[] => {
    if (sample.form === 'document' || sample.section === 'missing') return [];
    if (sample.section === 'null') return [`${pad(1)}apiServer:${note('defaults')}`];
    if (sample.section === 'flow')
      return [`${pad(1)}apiServer: {image: "registry.k8s.io/kube-apiserver:v1.36.3"}${note('short')}`];
    return [
      `${pad(1)}apiServer:`,
      ...own(2, 'API'),
      `${pad(2)}image: registry.k8s.io/kube-apiserver:v1.36.3`,
      ...list(2, 'certSANs', sample.sans),
      ...args(2),
    ];
  };
  const cluster =
    sample.form === 'document'
      ? [`${pad(1)}token: abcdef.0123456789abcdef`]
      : [
          `${pad(1)}controlPlane:`,
          `${pad(2)}endpoint: ${quoted(OLD)}${note('floating IP')}`,
          `${pad(1)}clusterName: prod`,
          ...apiServer(),
        ];
  const documents =
    sample.form === 'legacy'
      ? []
      : [
          [
            'apiVersion: v1alpha1',
            'kind: KubeClusterConfig',
            'clusterName: prod',
            `endpoint: ${quoted(OLD)}${note('floating IP')}`,
          ],
          [
            ...(style.comments ? ['# the API server'] : []),
            'apiVersion: v1alpha1',
            'kind: KubeAPIServerConfig',
            'image: registry.k8s.io/kube-apiserver:v1.37.0',
            ...list(0, 'certExtraSANs', sample.sans === 'alias' ? 'block' : sample.sans),
            ...args(0),
          ],
        ];
  const hostname = ['apiVersion: v1alpha1', 'kind: HostnameConfig', 'auto: stable'];
  const trailing = {
    none: [],
    hostname: [hostname],
    'hostname-and-comment': [[...hostname, '# the end']],
    two: [
      hostname,
      ['apiVersion: v1alpha1', 'kind: EthernetConfig', 'name: eth0', 'features: {tx-checksumming: false}'],
    ],
  }[sample.trailing];
  const first = [
    ...own(0, 'a control plane'),
    'version: v1alpha1',
    'machine:',
    `${pad(1)}type: controlplane${note('role')}`,
    `${pad(1)}token: stx1v3.436pyij1kbrjt9an`,
    ...list(1, 'certSANs', sample.machineSans, ' &names'),
    ...network(),
    '',
    'cluster:',
    ...cluster,
    ...(style.comments ? ['', `${pad(1)}# a comment at the end`] : []),
  ];
  const lines = [first, ...documents, ...trailing].flatMap((document, index) =>
    index === 0 ? document : [`---${note('next')}`, ...document],
  );
  return lines.join(style.eol) + (style.finalNewline ? style.eol : '');
}
