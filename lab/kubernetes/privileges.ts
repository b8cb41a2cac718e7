/** Arguments of setpriv: a child dies with the lab, and belongs to the group that the fabric knows its machine by. */
export const privileges = (group: number | undefined): readonly string[] => [
  '--pdeathsig',
  'KILL',
  ...(group === undefined ? [] : ['--regid', String(group), '--clear-groups']),
];
