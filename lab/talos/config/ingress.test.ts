import { expect, test } from 'vitest';
import { loadDocuments } from './documents.ts';
import { readIngress } from './ingress.ts';

const ingressOf = (text: string) => {
  const loaded = loadDocuments(text, 13);
  if (!('documents' in loaded)) throw new Error(loaded.refusal);
  return readIngress(loaded.documents);
};

test('a config without firewall documents has no firewall', () => {
  expect(ingressOf('apiVersion: v1alpha1\nkind: HostnameConfig\nauto: off\n')).toBeUndefined();
});

test('ports, ranges, sources and exceptions are read as they stand; without a default action, what no rule names passes', () => {
  const rule = `apiVersion: v1alpha1
kind: NetworkRuleConfig
name: apid
portSelector:
  ports: [2379-2380, 50000]
  protocol: tcp
ingress:
  - subnet: 10.0.0.0/16
    except: 10.0.9.0/24
  - subnet: 203.0.113.7/32
`;
  const rules = [
    {
      protocol: 'tcp',
      ports: ['2379-2380', '50000'],
      from: [
        { subnet: '10.0.0.0/16', except: '10.0.9.0/24' },
        { subnet: '203.0.113.7/32', except: undefined },
      ],
    },
  ];
  expect(ingressOf(rule)).toEqual({ otherwise: 'accept', rules });
  const block = 'apiVersion: v1alpha1\nkind: NetworkDefaultActionConfig\ningress: block\n';
  expect(ingressOf(`${block}---\n${rule}`)).toEqual({ otherwise: 'block', rules });
});
