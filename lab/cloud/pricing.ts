import { LOAD_BALANCER_TYPES, LOCATIONS, SERVER_TYPES } from './catalogue.ts';

const price = (net: string) => ({ net, gross: net });

const everywhere = (hourly: string, monthly: string) =>
  LOCATIONS.map(({ name }) => ({
    location: name,
    price_hourly: price(hourly),
    price_monthly: price(monthly),
    included_traffic: 21_990_232_555_520,
    price_per_tb_traffic: price('1.0000000000'),
  }));

const perAddress = (type: 'ipv4' | 'ipv6', monthly: string, hourly?: string) => ({
  type,
  prices: LOCATIONS.map(({ name }) => ({
    location: name,
    ...(hourly === undefined ? {} : { price_hourly: price(hourly) }),
    price_monthly: price(monthly),
  })),
});

/** What things cost: shapes as Hetzner's, figures of 2026 where they are known. Without VAT, so gross is net. */
export const pricingView = () => ({
  currency: 'EUR',
  vat_rate: '0.000000',
  image: { price_per_gb_month: price('0.0110000000') },
  volume: { price_per_gb_month: price('0.0440000000') },
  server_backup: { percentage: '20.0000000000' },
  floating_ip: { price_monthly: price('3.0000000000') },
  // As many entries as primary_ips has: a client sizes one list by the other.
  floating_ips: [perAddress('ipv4', '3.0000000000'), perAddress('ipv6', '1.0000000000')],
  primary_ips: [perAddress('ipv4', '0.5000000000', '0.0008000000'), perAddress('ipv6', '0.0000000000', '0.0000000000')],
  traffic: { price_per_tb: price('1.0000000000') },
  server_types: SERVER_TYPES.map(({ id, name, hourly, monthly }) => ({
    id,
    name,
    prices: everywhere(hourly, monthly),
  })),
  load_balancer_types: LOAD_BALANCER_TYPES.map(({ id, name, hourly, monthly }) => ({
    id,
    name,
    prices: everywhere(hourly, monthly),
  })),
});
