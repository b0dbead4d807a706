import 'reflect-metadata';

import { Ctx, Directive, Field, ID, Int, ObjectType, Query, Resolver } from 'type-graphql';

import { authenticated } from '../../src/authorization/requirement.js';
import type { LatchkeyContext } from '../../src/graphql/context.js';

@ObjectType({ description: 'Money that somebody owes.' })
export class Invoice {
  @Field(() => ID, { description: 'Its number.' })
  id!: string;

  @Field(() => Int, { description: 'What it asks for, in cents.' })
  totalCents!: number;
}

export interface InvoiceStore {
  ofCustomer(userId: string): Promise<Invoice[]>;
}

@Resolver()
export class InvoiceResolver {
  constructor(private readonly store: InvoiceStore) {}

  @Directive('@requiresScopes(scopes: [["invoices:read"]])')
  @Query(() => [Invoice], { description: 'The invoices of whoever asks.' })
  invoices(@Ctx() { principal }: LatchkeyContext): Promise<Invoice[]> {
    return this.store.ofCustomer(authenticated(principal).subject);
  }
}
