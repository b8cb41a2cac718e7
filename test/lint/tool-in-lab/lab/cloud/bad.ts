import { createHetznerClient } from '../../src/systems/hetzner/client.ts';
export const client = createHetznerClient;
