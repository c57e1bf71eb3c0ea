/** The api's own metrics, in the registry that the process serves at /metrics. Labels are route patterns and codes, never values. */
import type { Registry } from 'prom-client';
import { Gauge, Histogram } from 'prom-client';
import type { Admission } from './admission.ts';

export interface ApiMetrics {
  request(method: string, route: string, status: number, seconds: number): void;
  query(query: string, outcome: string, seconds: number): void;
}

/** Registers them. One api a registry: a second one would throw for the names. */
export function createApiMetrics(registry: Registry, admission: Admission): ApiMetrics {
  const registers = [registry];
  const requests = new Histogram({
    name: 'podtrail_api_request_duration_seconds',
    help: 'Time from request to response, by route pattern and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const queries = new Histogram({
    name: 'podtrail_api_query_duration_seconds',
    help: 'Time of a query with its wait for a turn; outcome is ok or the code of the error.',
    labelNames: ['query', 'outcome'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  new Gauge({
    name: 'podtrail_api_queries_running',
    help: 'Queries in the store now.',
    registers,
    collect() {
      this.set(admission.running());
    },
  });
  new Gauge({
    name: 'podtrail_api_queries_waiting',
    help: 'Queries waiting for their turn.',
    registers,
    collect() {
      this.set(admission.waiting());
    },
  });
  return {
    request: (method, route, status, seconds) => requests.observe({ method, route, status }, seconds),
    query: (query, outcome, seconds) => queries.observe({ query, outcome }, seconds),
  };
}
