import 'reflect-metadata';

import { Arg, Directive, Field, FieldResolver, Int, ObjectType, Query, Resolver } from 'type-graphql';

@ObjectType({ description: 'A type that leads to itself.' })
class Probe {
  @Field(() => Int, { description: 'Any number.' })
  value = 1;
}

/** Fields of one's own that count each time they run: what never ran is seen to be 0. */
@Resolver(() => Probe)
export class ProbeResolver {
  runs = 0;

  @Directive('@public')
  @Query(() => Probe, { description: 'Counts.' })
  probe(@Arg('text', () => String, { nullable: true, description: 'Anything.' }) _text?: string | null): Probe {
    this.runs += 1;
    return new Probe();
  }

  @FieldResolver(() => Probe, { description: 'Counts once more.' })
  again(): Probe {
    this.runs += 1;
    return new Probe();
  }
}
