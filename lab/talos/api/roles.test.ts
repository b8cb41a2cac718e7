import { Code } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { authorize, availableInMaintenance, type Role } from './roles.ts';

const may = (role: Role, call: string): boolean => {
  try {
    authorize(call, [role]);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: Code.PermissionDenied, rawMessage: 'not authorized' });
    return false;
  }
};

describe('roles of the Talos API', () => {
  const rows: readonly (readonly [string, readonly Role[]])[] = [
    ['machine.MachineService/Version', ['os:admin', 'os:operator', 'os:reader']],
    ['machine.MachineService/List', ['os:admin', 'os:operator', 'os:reader']],
    ['machine.MachineService/Read', ['os:admin']],
    ['machine.MachineService/Reboot', ['os:admin', 'os:operator']],
    ['machine.MachineService/Reset', ['os:admin']],
    ['machine.MachineService/Upgrade', ['os:admin']],
    ['machine.MachineService/Kubeconfig', ['os:admin']],
    ['machine.MachineService/EtcdMemberList', ['os:admin', 'os:operator', 'os:reader', 'os:etcd:backup']],
    ['machine.MachineService/EtcdSnapshot', ['os:admin', 'os:operator', 'os:etcd:backup']],
    ['machine.MachineService/MetaWrite', ['os:admin', 'os:meta:writer']],
    ['machine.ImageService/List', ['os:admin', 'os:operator', 'os:reader']],
    ['machine.ImageService/Remove', ['os:admin']],
    ['cosi.resource.State/Watch', ['os:admin', 'os:operator', 'os:reader']],
    ['cosi.resource.State/Update', ['os:admin']],
    ['some.Service/Unknown', ['os:admin']],
  ];
  const roles: readonly Role[] = ['os:admin', 'os:operator', 'os:reader', 'os:etcd:backup', 'os:meta:writer'];

  it.each(rows)('%s is for %j alone', (call, allowed) => {
    expect(roles.filter((role) => may(role, call))).toEqual(allowed);
  });

  it('whoever has no role may do nothing', () => {
    expect(() => authorize('machine.MachineService/Version', [])).toThrow('not authorized');
  });

  it('up to 1.12 a machine without a config has little else than the way to give it one', () => {
    const logs = 'machine.MachineService/Logs';
    expect(() => availableInMaintenance(logs, 'v1.12.11')).toThrow('not implemented in maintenance mode');
    expect(() => availableInMaintenance('machine.MachineService/ApplyConfiguration', 'v1.12.11')).not.toThrow();
    expect(() => availableInMaintenance(logs, 'v1.13.9')).not.toThrow();
  });
});
