-- Customers, row by row as their files have them. A file's name is bytes: compared one by one, as S3 does, and short
-- enough for a key even where a name is as long as S3 allows (63 + 1 + 1024 bytes). Times are UTC.
CREATE TABLE IF NOT EXISTS `customer` (
    `import_file`  VARBINARY(1088)   NOT NULL COMMENT 'BUCKET/KEY of the file: claims.claim_id',
    `load`         BIGINT UNSIGNED   NOT NULL COMMENT 'which content of the file: counted from 1',
    `row`          BIGINT UNSIGNED   NOT NULL COMMENT 'of the file, from 1',
    `id`           VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    `name`         VARCHAR(1000)     NULL,
    `email`        VARCHAR(320)      NULL,
    `country`      VARCHAR(100)      NULL,
    `orders`       BIGINT            NULL,
    `credit_limit` DECIMAL(30, 10)   NULL,
    `note`         MEDIUMTEXT        NULL,
    `since`        DATE              NULL,
    `created_at`   DATETIME(6)       NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (`import_file`, `load`, `row`),
    KEY `customer_id` (`id`)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4
