import type { Clock } from '@holdfast/kernel';
import type { DeviceRoute } from '../https/device-route.ts';
import type { DataRequestPorts } from './data-request.ts';
import { jobsRoutes, type JobsRoutesPorts } from './jobs-routes.ts';
import { publishRoutes, type PublishRoutesPorts } from './publish-routes.ts';
import { RequestRate } from './request-rate.ts';
import { shadowRoutes, type ShadowRoutesPorts } from './shadow-routes.ts';

type DataRoutesPorts = Omit<JobsRoutesPorts & PublishRoutesPorts & ShadowRoutesPorts, 'rate'> & {
  readonly clock: Clock;
};

/** What one device may ask over HTTPS, all connections together. */
const REQUEST_LIMITS = { burst: 100, perSecond: 50 } as const;

/** The data planes of AWS IoT over HTTPS: publish, retained messages, jobs and shadows. */
export function dataRoutes(given: DataRoutesPorts): readonly DeviceRoute[] {
  const rate: DataRequestPorts['rate'] = new RequestRate(REQUEST_LIMITS, given.clock);
  const ports = { ...given, rate };
  return [...publishRoutes(ports), ...jobsRoutes(ports), ...shadowRoutes(ports)];
}
