-- Rows of the load under way that the table does not take: kept with the load's progress, until the file of them is
-- written.
CREATE TABLE IF NOT EXISTS `rejected` (
    `import_file` VARBINARY(1088)  NOT NULL,
    `load`        BIGINT UNSIGNED  NOT NULL,
    `row`         BIGINT UNSIGNED  NOT NULL,
    `line`        BIGINT UNSIGNED  NOT NULL,
    `reason`      TEXT             NOT NULL,
    `content`     MEDIUMBLOB       NULL COMMENT 'the row as it stood in the file, cut where it is long',
    PRIMARY KEY (`import_file`, `load`, `row`)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
