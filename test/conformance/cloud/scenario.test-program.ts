import { type Driver, runScenario } from './driver.ts';
import { dataPlane } from './data-plane.ts';
import { reading } from './reading.ts';
import { resources } from './resources.ts';
import { writing } from './writing.ts';

/** Run by cloud.test.ts inside the lab's namespaces: one scenario, by its name. The driver stands in CONFORMANCE_DRIVER. */
const [name = ''] = process.argv.slice(2);
const scenario = [...reading, ...writing, ...resources, ...dataPlane].find((one) => one.name === name);
if (scenario === undefined) throw new Error(`no scenario is called: ${name}`);
await runScenario(scenario, JSON.parse(process.env['CONFORMANCE_DRIVER'] ?? '') as Driver);
process.exit(0);
