import { apply } from '../apply/apply.ts';
export const look = apply;
