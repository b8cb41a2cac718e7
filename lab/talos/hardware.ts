/** What a lab machine is built of (guess: like Hetzner's smallest shared server; nothing depends on it). */
export const HARDWARE = {
  processor: 'Intel Xeon Processor (Skylake, IBRS)',
  cores: 2,
  memoryBytes: 4 * 1024 ** 3,
  diskBytes: 40_961_572_864,
} as const;
