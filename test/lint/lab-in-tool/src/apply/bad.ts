import { startWorld } from '../../lab/world/world.ts';
export const world = startWorld;
