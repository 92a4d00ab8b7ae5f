-- What an application reads: of each file the rows of one whole load. It changes from one load to the next at once,
-- when the last row of the new one is there.
CREATE OR REPLACE VIEW `current_customer` AS
SELECT `customer`.*
FROM `customer` JOIN `claims` ON `claims`.`claim_id` = `customer`.`import_file` AND `claims`.`rows_of` = `customer`.`load`
