import { type Clock, HoldfastError } from '@holdfast/kernel';
import type { PolicyAction } from '@holdfast/trust/communication';
import type { DeviceJobs } from '@holdfast/trust/update';
import { type AwsMembers, decodeAwsPayload } from '@holdfast/wire/aws-iot';
import type { DeviceRequest, DeviceRoute } from '../https/device-route.ts';
import { dataRoute, type DataRequestPorts, demandOwn, integerQuery, oneOfQuery } from './data-request.ts';
import { JobAnswers, type JobsAsked } from './job-answers.ts';
import { secondsOf } from './job-words.ts';
import { jsonAnswer } from './rest-words.ts';

export interface JobsRoutesPorts extends DataRequestPorts {
  readonly clock: Clock;
  readonly jobs: DeviceJobs;
}

interface JobsRow {
  readonly method: DeviceRoute['method'];
  readonly path: string;
  readonly asked: JobsAsked['kind'];
  readonly action: PolicyAction;
  readonly members: (request: DeviceRequest) => AwsMembers;
}

/** Status details have 16 KiB at most; the rest of a request is short. */
const MAX_BODY_BYTES = 65_536;

const ofBody = ({ body }: DeviceRequest): AwsMembers => decodeAwsPayload('json', body);

const ROWS: readonly JobsRow[] = [
  {
    method: 'GET',
    path: '/things/{thing}/jobs',
    asked: 'jobs-pending',
    action: 'iotjobsdata:GetPendingJobExecutions',
    members: () => new Map(),
  },
  {
    method: 'PUT',
    path: '/things/{thing}/jobs/$next',
    asked: 'jobs-start-next',
    action: 'iotjobsdata:StartNextPendingJobExecution',
    members: ofBody,
  },
  {
    method: 'GET',
    path: '/things/{thing}/jobs/{job}',
    asked: 'job-describe',
    action: 'iotjobsdata:DescribeJobExecution',
    // Over HTTPS the document comes when it is asked for, over MQTT unless it is not (AWS API reference).
    members: ({ query }) =>
      new Map<string, unknown>([
        ['includeJobDocument', oneOfQuery(query, 'includeJobDocument', ['true', 'false']) === 'true'],
        ['executionNumber', integerQuery(query, 'executionNumber', Number.MAX_SAFE_INTEGER)],
      ]),
  },
  {
    method: 'POST',
    path: '/things/{thing}/jobs/{job}',
    asked: 'job-update',
    action: 'iotjobsdata:UpdateJobExecution',
    members: ofBody,
  },
];

/**
 * The Jobs data plane over HTTPS: the same answers as on the reserved topics.
 *
 * @see AWS IoT API reference, "AWS IoT jobs data plane"
 */
export function jobsRoutes(ports: JobsRoutesPorts): readonly DeviceRoute[] {
  const answers = new JobAnswers(ports);
  return ROWS.map(({ method, path, asked, action, members }) =>
    dataRoute(ports, {
      method,
      path,
      maxBodyBytes: method === 'GET' ? 0 : MAX_BODY_BYTES,
      handle: async (request) => {
        const device = await demandOwn(ports, request, action);
        const job = request.params['job'];
        const answer = await answers.to(asked, {
          ...(job === undefined ? {} : { job }),
          device,
          members: members(request),
          timestamp: secondsOf(ports.clock.now()),
        });
        if (answer.kind === 'refused') throw new HoldfastError(answer.code);
        return jsonAnswer(answer.payload);
      },
    }),
  );
}
