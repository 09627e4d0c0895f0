import { once } from 'node:events';
import type { iotjobs } from 'aws-iot-device-sdk-v2';
import { type AwsLink, loadSdk } from './aws-link.ts';
import type { Generation } from './provisioning.ts';
import { callService } from './service-calls.ts';

type Model = typeof iotjobs.model;
type JobData = iotjobs.model.JobExecutionData;
type JobUpdate = Omit<iotjobs.model.UpdateJobExecutionRequest, 'thingName'>;

/** AWS IoT Jobs as a device uses it, whichever generation asks. */
export interface Jobs {
  /** Starts to listen; the promise inside gives the first notification that names a job. */
  readonly listen: () => Promise<{ readonly next: Promise<JobData> }>;
  readonly pending: () => Promise<iotjobs.model.GetPendingJobExecutionsResponse>;
  readonly startNext: () => Promise<iotjobs.model.StartNextJobExecutionResponse>;
  readonly describe: (jobId: string) => Promise<iotjobs.model.DescribeJobExecutionResponse>;
  readonly update: (request: JobUpdate) => Promise<iotjobs.model.UpdateJobExecutionResponse>;
  readonly close: () => void;
}

export async function jobsOf(link: AwsLink, generation: Generation, thingName: string): Promise<Jobs> {
  return generation === 'v1' ? await firstGeneration(link, thingName) : await secondGeneration(link, thingName);
}

/** The SDK's own words for a status. */
export async function statusWords(): Promise<Model['JobStatus']> {
  return (await loadSdk()).iotjobs.model.JobStatus;
}

async function firstGeneration(link: AwsLink, thingName: string): Promise<Jobs> {
  const { iotjobs, mqtt } = await loadSdk();
  const { IotJobsClient } = iotjobs;
  const client =
    link.protocol === '5' ? IotJobsClient.newFromMqtt5Client(link.client) : new IotJobsClient(link.connection);
  const qos = mqtt.QoS.AtLeastOnce;
  return {
    listen: async () => {
      const { promise, resolve, reject } = Promise.withResolvers<JobData>();
      await client.subscribeToNextJobExecutionChangedEvents({ thingName }, qos, (error, event) => {
        if (error !== undefined) reject(error);
        else if (event?.execution !== undefined) resolve(event.execution);
      });
      return { next: promise };
    },
    pending: () =>
      callService({
        accepted: (handler) => client.subscribeToGetPendingJobExecutionsAccepted({ thingName }, qos, handler),
        rejected: (handler) => client.subscribeToGetPendingJobExecutionsRejected({ thingName }, qos, handler),
        publish: () => client.publishGetPendingJobExecutions({ thingName }, qos),
      }),
    startNext: () =>
      callService({
        accepted: (handler) => client.subscribeToStartNextPendingJobExecutionAccepted({ thingName }, qos, handler),
        rejected: (handler) => client.subscribeToStartNextPendingJobExecutionRejected({ thingName }, qos, handler),
        publish: () => client.publishStartNextPendingJobExecution({ thingName }, qos),
      }),
    describe: (jobId) =>
      callService({
        accepted: (handler) => client.subscribeToDescribeJobExecutionAccepted({ thingName, jobId }, qos, handler),
        rejected: (handler) => client.subscribeToDescribeJobExecutionRejected({ thingName, jobId }, qos, handler),
        publish: () => client.publishDescribeJobExecution({ thingName, jobId }, qos),
      }),
    update: (request) => {
      const { jobId } = request;
      return callService({
        accepted: (handler) => client.subscribeToUpdateJobExecutionAccepted({ thingName, jobId }, qos, handler),
        rejected: (handler) => client.subscribeToUpdateJobExecutionRejected({ thingName, jobId }, qos, handler),
        publish: () => client.publishUpdateJobExecution({ thingName, ...request }, qos),
      });
    },
    close: () => undefined,
  };
}

async function secondGeneration(link: AwsLink, thingName: string): Promise<Jobs> {
  const { iotjobs, mqtt_request_response } = await loadSdk();
  const { IotJobsClientv2 } = iotjobs;
  const options = { maxRequestResponseSubscriptions: 8, maxStreamingSubscriptions: 2, operationTimeoutInSeconds: 20 };
  const client =
    link.protocol === '5'
      ? IotJobsClientv2.newFromMqtt5(link.client, options)
      : IotJobsClientv2.newFromMqtt311(link.connection, options);
  return {
    listen: async () => {
      const { promise, resolve } = Promise.withResolvers<JobData>();
      const stream = client.createNextJobExecutionChangedStream({ thingName });
      stream.on('incomingPublish', ({ message }) => {
        if (message.execution !== undefined) resolve(message.execution);
      });
      const established = once(stream, mqtt_request_response.StreamingOperation.SUBSCRIPTION_STATUS);
      stream.open();
      await established;
      return { next: promise };
    },
    pending: () => client.getPendingJobExecutions({ thingName }),
    startNext: () => client.startNextPendingJobExecution({ thingName }),
    describe: (jobId) => client.describeJobExecution({ thingName, jobId }),
    update: (request) => client.updateJobExecution({ thingName, ...request }),
    close: () => client.close(),
  };
}
