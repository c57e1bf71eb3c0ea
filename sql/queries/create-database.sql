-- {database}: checked by the configuration. Does nothing where an operator made it, for example with ENGINE = Replicated.
CREATE DATABASE IF NOT EXISTS {database:Identifier}
