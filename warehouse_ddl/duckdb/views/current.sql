-- The rows as they are now: what exists after every change that is stored.
{% import "_macros.sql" as shared with context -%}
CREATE OR REPLACE VIEW {{ view | q }} AS
{{ shared.existing() }}
