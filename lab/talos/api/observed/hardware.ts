const GiB = 1024 ** 3;

/** What every machine of the lab says it is made of: about a cx33. Constants of the lab. */
export const HARDWARE = {
  cpus: 4,
  cpuModel: 'Intel Xeon Processor (Skylake, IBRS)',
  cpuMHz: 2_100,
  memoryKiB: 8 * 1024 * 1024,
  cachedKiB: 2 * 1024 * 1024,
  diskBytes: 80 * GiB,
  mounts: [
    { filesystem: 'dev', size: 4 * GiB, available: 4 * GiB, on: '/dev' },
    { filesystem: 'tmpfs', size: 4 * GiB, available: 4 * GiB, on: '/run' },
    { filesystem: '/dev/sda5', size: 100 * 1024 ** 2, available: 90 * 1024 ** 2, on: '/system/state' },
    { filesystem: '/dev/sda6', size: 76 * GiB, available: 70 * GiB, on: '/var' },
  ],
} as const;
