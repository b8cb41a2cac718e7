import type { ProcessIdentity, ProcessTable } from '../../base/processes.ts';

const FORM = /^([^@/]*)@([^/]*)\/(\d+)\/([^/]*)\/(\d*)$/;
const clean = (text: string): string => text.replaceAll(/[@/\s]/g, '-');

/** As it stands in the Lease's `holderIdentity`. */
export const ownerText = ({ user, host, pid, space, started }: ProcessIdentity): string =>
  `${clean(user)}@${clean(host)}/${pid}/${clean(space)}/${started}`;

/** undefined where the text was not written by fairlead. */
export function parseOwner(text: string): ProcessIdentity | undefined {
  const [, user, host, pid, space, started] = FORM.exec(text) ?? [];
  return user === undefined || host === undefined || space === undefined || started === undefined
    ? undefined
    : { user, host, pid: Number(pid), space, started };
}

/** For people: who, where, which process. */
export function ownerWords(text: string): string {
  const owner = parseOwner(text);
  return owner === undefined ? text : `${owner.user} on ${owner.host}, process ${owner.pid}`;
}

/** Whether the owner's process is provably no more: it lived in this very boot and pid space, and is not there now. */
export async function isDeadHere(table: ProcessTable, owner: ProcessIdentity): Promise<boolean> {
  const self = await table.self();
  if (owner.space === '' || owner.space !== self.space) return false;
  return (await table.started(owner.pid)) !== owner.started;
}
