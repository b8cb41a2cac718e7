import { numberAt, textAt, textsAt, type Section } from './access.ts';

/** Settings taken from a list of words, each with what Talos calls a wrong one. */
const CHOICES = [
  ['mode', 'invalid bond type', 'balance-rr active-backup balance-xor broadcast 802.3ad balance-tlb balance-alb'],
  ['xmitHashPolicy', 'invalid xmit hash policy', 'layer2 layer3+4 layer2+3 encap2+3 encap3+4'],
  ['lacpRate', 'invalid lacp rate', 'slow fast'],
  ['arpValidate', 'invalid arp_validate mode', 'none active backup all filter filter-active filter-backup'],
  ['arpAllTargets', 'invalid arp_all_targets mode', 'any all'],
  ['primaryReselect', 'invalid primary_reselect mode', 'always better failure'],
  ['failOverMac', 'invalid fail_over_mac value', 'none active follow'],
  ['adSelect', 'invalid ad_select mode', 'stable bandwidth count'],
] as const;

/** Talos' checks of a bond of the legacy form, in its order and words: what is set must fit the mode. */
export function bondErrors(bond: Section): readonly string[] {
  const text = (key: string): string => textAt(bond, key) ?? '';
  const number = (key: string): number => numberAt(bond, key) ?? 0;
  const known = CHOICES[0][2].split(' ');
  // A mode that is none counts as the first one.
  const mode = known.includes(text('mode')) ? text('mode') : 'balance-rr';
  const one = (...modes: readonly string[]): boolean => modes.includes(mode);
  const alive = one('802.3ad', 'balance-alb', 'balance-tlb');
  const every = number('miimon');
  const delays = (['upDelay', 'downDelay'] as const).flatMap((name) => {
    const delay = number(name.toLowerCase());
    if (every === 0) return delay === 0 ? [] : [`bond.${name} can't be set if miiMon is zero`];
    return delay % every === 0 ? [] : [`bond.${name} should be a multiple of miiMon`];
  });
  const rules: readonly (readonly [boolean, string])[] = [
    [textsAt(bond, 'arpIPTarget').length > 0, 'bond.arpIPTarget is not supported'],
    [text('lacpRate') !== '' && !one('802.3ad'), 'bond.lacpRate is only available in 802.3ad mode'],
    [text('adActorSystem') !== '', 'bond.adActorSystem is not supported'],
    [alive && text('arpValidate') !== '', `bond.arpValidate is not available in ${mode} mode`],
    [
      !one('active-backup', 'balance-alb', 'balance-tlb') && text('primary') !== '',
      `bond.primary is not available in ${mode} mode`,
    ],
    [alive && number('arpInterval') > 0, `bond.arpInterval is not available in ${mode} mode`],
    [!one('balance-rr') && number('packetsPerSlave') > 1, `bond.packetsPerSlave is not available in ${mode} mode`],
    [
      !one('balance-alb', 'balance-tlb') && number('tlbDynamicLb') > 0,
      `bond.tlbDynamicTLB is not available in ${mode} mode`,
    ],
    [!one('802.3ad') && number('adActorSysPrio') > 0, 'bond.adActorSysPrio is only available in 802.3ad mode'],
    [!one('802.3ad') && number('adUserPortKey') > 0, 'bond.adUserPortKey is only available in 802.3ad mode'],
  ];
  return [
    ...CHOICES.flatMap(([key, what, words]) =>
      text(key) === '' || words.split(' ').includes(text(key)) ? [] : [`${what} ${text(key)}`],
    ),
    ...delays,
    ...rules.flatMap(([broken, words]) => (broken ? [words] : [])),
  ];
}
