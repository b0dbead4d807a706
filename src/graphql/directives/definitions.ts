import { DirectiveLocation, GraphQLDirective, GraphQLList, GraphQLNonNull, GraphQLString } from 'graphql';

const { FIELD_DEFINITION, OBJECT, ARGUMENT_DEFINITION, INPUT_FIELD_DEFINITION } = DirectiveLocation;
const GUARDABLE = [OBJECT, FIELD_DEFINITION, ARGUMENT_DEFINITION, INPUT_FIELD_DEFINITION];

export const publicDirective = new GraphQLDirective({
  name: 'public',
  description: 'Anyone may use this field, signed in or not.',
  locations: [FIELD_DEFINITION],
});

/** Name and shape are those of Apollo Federation, so that a router in front can enforce the same schema. */
export const authenticatedDirective = new GraphQLDirective({
  name: 'authenticated',
  description: 'Needs a live access token.',
  locations: GUARDABLE,
});

/** Name and shape are those of Apollo Federation. */
export const requiresScopesDirective = new GraphQLDirective({
  name: 'requiresScopes',
  description: 'Needs a live access token that has every scope of at least one inner list (outer list OR, inner list AND).',
  locations: GUARDABLE,
  args: {
    scopes: {
      description: 'The scopes that do: any inner list, each of its scopes.',
      type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(GraphQLString))))),
    },
  },
});

export const authorizationDirectives = [publicDirective, authenticatedDirective, requiresScopesDirective];
