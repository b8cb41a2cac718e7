import { parseConfig } from '../config/parse.ts';
export const parse = parseConfig;
