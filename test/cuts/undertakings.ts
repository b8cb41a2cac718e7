import { readFile } from 'node:fs/promises';
import type { LabClient } from '../../lab/world/client.ts';
import type { LabInfo } from '../../lab/world/info.ts';
import type { Undertaking } from './chained.ts';

const inKubeconfig = async (info: LabInfo): Promise<string> =>
  /server: (\S+)/.exec(await readFile(info.files.kubeconfig, 'utf8'))?.[1] ?? 'none';

export const apply: Undertaking = {
  name: 'apply',
  args: ['apply'],
  async arrived(lab) {
    const info = await lab.info();
    const [address, ...more] = info.floatingIPs;
    const server = await inKubeconfig(info);
    return [
      ...(more.length === 0 ? [] : [`there are ${more.length + 1} addresses`]),
      ...(address?.claimedBy.length === 1 && address.claimedBy[0] === address.assignedTo
        ? []
        : [`the address is assigned to ${address?.assignedTo}, claimed by ${address?.claimedBy.join(', ')}`]),
      ...(server === info.endpoint ? [] : [`the kubeconfig says ${server}, the nodes ${info.endpoint}`]),
    ];
  },
};

const back =
  (endpoint: string) =>
  async (lab: LabClient): Promise<readonly string[]> => {
    const info = await lab.info();
    const server = await inKubeconfig(info);
    const claimed = info.floatingIPs.flatMap(({ claimedBy }) => claimedBy);
    return [
      ...(info.endpoint === endpoint ? [] : [`the nodes say ${info.endpoint}, not ${endpoint}`]),
      ...(server === endpoint ? [] : [`the kubeconfig says ${server}, not ${endpoint}`]),
      ...(claimed.length === 0 ? [] : [`the address is still claimed by ${claimed.join(', ')}`]),
    ];
  };

export const undo = (before: string): Undertaking => ({ name: 'undo', args: ['undo'], arrived: back(before) });

export const remove = (to: string): Undertaking => ({
  name: 'remove',
  args: ['remove', '--endpoint', to],
  arrived: back(to),
});
