import type { OperationName, Operations, OperatorRole } from '@holdfast/api';
import type { OperatorPrincipal } from '@holdfast/trust/principal';
import type { z } from 'zod';

/** Who asks. */
export interface ManagementContext {
  readonly principal: OperatorPrincipal;
  readonly role: OperatorRole;
}

type PathParams<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? { readonly [K in Name]: string } & PathParams<Rest>
  : unknown;
type QueryOf<Op> = Op extends { readonly query: infer Q extends z.ZodType } ? { readonly query: z.output<Q> } : unknown;
type BodyOf<Op> = Op extends { readonly body: infer B extends z.ZodType } ? { readonly body: z.output<B> } : unknown;
type UploadOf<Op> = Op extends { readonly upload: 'octets' } ? { readonly octets: AsyncIterable<Uint8Array> } : unknown;

/** What one operation gets: its parts already parsed by the API's schemas. */
type HandlerInput<Name extends OperationName> = PathParams<Operations[Name]['path']> &
  QueryOf<Operations[Name]> &
  BodyOf<Operations[Name]> &
  UploadOf<Operations[Name]>;

type HandlerOutput<Name extends OperationName> = z.input<Operations[Name]['response']>;

/** The session operations are the listener's own: they deal in cookies, not in business. */
type ListenerOperation = 'console.link' | 'session.open' | 'session.close';

export type ManagementOperation = Exclude<OperationName, ListenerOperation>;

type ManagementHandler<Name extends OperationName> = (
  input: HandlerInput<Name>,
  context: ManagementContext,
) => Promise<HandlerOutput<Name>>;

/** One handler for every operation of the API; a missing one does not compile. */
export type ManagementHandlers = { readonly [Name in ManagementOperation]: ManagementHandler<Name> };
