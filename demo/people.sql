-- The people of the day: 840 neighbours of the shop with names from twelve
-- languages, and one family.  Everything is drawn with dice() from the person's
-- number, so each run plays the same day.

-- A throw of a die with that many sides: 0 .. sides - 1, the same for the same
-- question.
CREATE FUNCTION pg_temp.dice(question text, sides integer) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN (('x' || left(md5(question), 7))::bit(28)::integer % sides);

-- Ten given and ten family names each.  Behind the slash stands what their
-- bearers use in an e-mail address.
CREATE TEMP TABLE language (language text, family_first boolean, given text[], family text[]);
INSERT INTO language VALUES
('German', false,
 '{Jürgen/juergen,Käthe/kaethe,Lukas,Sophie,Jörg/joerg,Anja,Günther/guenther,Heike,Matthias,Ulrike}',
 '{Müller/mueller,Weiß/weiss,Schröder/schroeder,Böhm/boehm,Schmidt,Krüger/krueger,Jäger/jaeger,Lehmann,Groß/gross,Voigt}'),
('French', false,
 '{Élodie/elodie,François/francois,Chloé/chloe,Jérôme/jerome,Noël/noel,Mathilde,Zoé/zoe,Benoît/benoit,Hélène/helene,Théo/theo}',
 '{Lefèvre/lefevre,Dubois,Garçon/garcon,Bélanger/belanger,Moreau,D''Arcy/darcy,Gagné/gagne,Lacroix,Hébert/hebert,Châtelain/chatelain}'),
('Turkish', false,
 '{Ayşe/ayse,Çağla/cagla,Gülşen/gulsen,İbrahim/ibrahim,Ömer/omer,Zeynep,Işıl/isil,Uğur/ugur,Şükrü/sukru,Nazlı/nazli}',
 '{Öztürk/ozturk,Şahin/sahin,Çelik/celik,Güneş/gunes,Doğan/dogan,Aydın/aydin,Kılıç/kilic,Koç/koc,Arslan,Yıldız/yildiz}'),
('Polish', false,
 '{Łukasz/lukasz,Małgorzata/malgorzata,Wojciech,Agnieszka,Stanisław/stanislaw,Grażyna/grazyna,Paweł/pawel,Bożena/bozena,Zbigniew,Róża/roza}',
 '{Wójcik/wojcik,Woźniak/wozniak,Mazur,Żak/zak,Wróbel/wrobel,Dudek,Pająk/pajak,Jóźwiak/jozwiak,Zając/zajac,Kaźmierczak/kazmierczak}'),
('Spanish', false,
 '{José/jose,Begoña/begona,María/maria,Íñigo/inigo,Lucía/lucia,Andrés/andres,Carmen,Ramón/ramon,Inés/ines,Álvaro/alvaro}',
 '{Núñez/nunez,Gómez/gomez,Ibáñez/ibanez,Martínez/martinez,Peña/pena,Rodríguez/rodriguez,Ortega,Muñoz/munoz,Fernández/fernandez,Yáñez/yanez}'),
('Swedish', false,
 '{Åsa/asa,Björn/bjorn,Märta/marta,Göran/goran,Linnéa/linnea,Östen/osten,Sven,Kerstin,Håkan/hakan,Ylva}',
 '{Åkesson/akesson,Sjöberg/sjoberg,Lindström/lindstrom,Nyström/nystrom,Holm,Ekström/ekstrom,Björk/bjork,Sandberg,Öberg/oberg,Hägg/hagg}'),
('Greek', false,
 '{Ελένη/eleni,Γιώργος/giorgos,Μαρία/maria,Νίκος/nikos,Σοφία/sofia,Κώστας/kostas,Ειρήνη/irini,Δημήτρης/dimitris,Άννα/anna,Παύλος/pavlos}',
 '{Αθανασίου/athanasiou,Οικονόμου/oikonomou,Νικολάου/nikolaou,Γεωργίου/georgiou,Δήμου/dimou,Παπανδρέου/papandreou,Αγγέλου/angelou,Ιωάννου/ioannou,Ξένου/xenou,Λάμπρου/lambrou}'),
('Ukrainian', false,
 '{Оксана/oksana,Тарас/taras,Юлія/yuliia,Богдан/bohdan,Ірина/iryna,Андрій/andrii,Наталія/nataliia,Олег/oleh,Соломія/solomiia,Ярослав/yaroslav}',
 '{Шевченко/shevchenko,Коваленко/kovalenko,Бондар/bondar,Ткаченко/tkachenko,Мельник/melnyk,Кравець/kravets,Гончар/honchar,Лисенко/lysenko,Мороз/moroz,Щербак/shcherbak}'),
('Arabic', false,
 '{ليلى/layla,محمد/mohammed,فاطمة/fatima,يوسف/yusuf,نور/nour,عمر/omar,سارة/sara,خالد/khaled,زينب/zainab,كريم/karim}',
 '{حداد/haddad,منصور/mansour,خوري/khoury,نجار/najjar,سلامة/salameh,عثمان/othman,حسين/hussein,درويش/darwish,قاسم/qasim,زيدان/zidan}'),
('Chinese', true,
 '{娜/na,伟/wei,芳/fang,静/jing,磊/lei,洋/yang,丽/li,杰/jie,明/ming,霞/xia}',
 '{王/wang,李/li,张/zhang,刘/liu,陈/chen,杨/yang,赵/zhao,黄/huang,周/zhou,吴/wu}'),
('Vietnamese', true,
 '{Hương/huong,Tuấn/tuan,Thảo/thao,Đức/duc,Ngọc/ngoc,Hiếu/hieu,Mỹ/my,Quân/quan,Yến/yen,Dũng/dung}',
 '{Nguyễn/nguyen,Trần/tran,Lê/le,Phạm/pham,Huỳnh/huynh,Võ/vo,Đặng/dang,Bùi/bui,Đỗ/do,Ngô/ngo}'),
('Hindi', false,
 '{आरती/aarti,राहुल/rahul,प्रिया/priya,विजय/vijay,सीता/sita,अमित/amit,नेहा/neha,रवि/ravi,मीना/meena,सुनील/sunil}',
 '{शर्मा/sharma,वर्मा/verma,गुप्ता/gupta,सिंह/singh,पटेल/patel,मिश्रा/mishra,जोशी/joshi,राव/rao,मेहता/mehta,यादव/yadav}');

-- Who they are.  Telephone numbers and domains are those that are kept free for
-- films and examples.
CREATE TEMP TABLE person AS
WITH drawn AS (
    SELECT p AS person, l.language, l.family_first,
           l.given[1 + k % 10] AS given, l.family[1 + (k / 10 + 3 * k) % 10] AS family
    FROM generate_series(1, 840) p
    CROSS JOIN LATERAL (SELECT (p - 1) / 12 AS k) nth
    JOIN (SELECT language.*, row_number() OVER () AS n FROM language) l ON l.n = 1 + (p - 1) % 12
)
SELECT person, language,
       CASE WHEN NOT family_first THEN split_part(given, '/', 1) || ' ' || split_part(family, '/', 1)
            WHEN language = 'Chinese' THEN split_part(family, '/', 1) || split_part(given, '/', 1)
            ELSE split_part(family, '/', 1) || ' ' || split_part(given, '/', 1) END AS name,
       lower(split_part(given, '/', -1) || '.' || split_part(family, '/', -1)) || '@'
       || ('{example.org,example.org,example.net,example.net,example.com,example.com,'
           'post.example,post.example,mail.example,bücher.example}'::text[])
          [1 + pg_temp.dice('domain ' || person, 10)] AS email,
       CASE WHEN pg_temp.dice('phone ' || person, 10) < 6
            THEN '+493023125' || lpad(person::text, 3, '0') END AS phone,
       pg_temp.dice('customer ' || person, 100) < 36 AS customer,
       pg_temp.dice('writes ' || person, 100) < 50 AS writes,
       pg_temp.dice('logs in ' || person, 100) < 32 AS logs_in,
       pg_temp.dice('orders ' || person, 100) < 20 AS orders
FROM drawn;

-- The family that shares a telephone: four people, four addresses, one number.
INSERT INTO person (person, language, name, email, phone, customer, writes, logs_in, orders) VALUES
(901, 'Turkish', 'Mehmet Yılmaz', 'mehmet.yilmaz@example.org', '+493023125901', false, true, false, false),
(902, 'Turkish', 'Elif Yılmaz',   'elif.yilmaz@example.org',   '+493023125901', false, true, false, false),
(903, 'Turkish', 'Can Yılmaz',    'can.yilmaz@example.net',    '+493023125901', false, true, false, false),
(904, 'Turkish', 'Defne Yılmaz',  'defne.yilmaz@example.com',  '+493023125901', false, true, false, false);

-- Three people whom we shall look at: a customer with a new telephone, one who
-- writes from two addresses, one who comes by chat and by push.
INSERT INTO person (person, language, name, email, phone, customer, writes, logs_in, orders) VALUES
(911, 'German',  'Jürgen Weißgerber',  'j.weissgerber@example.org',    '+493023125911', true,  true,  false, false),
(912, 'Polish',  'Zofia Kowalska',     'zofia.kowalska@example.org',   '+493023125912', true,  false, false, true),
(913, 'Spanish', 'Nuria Castaño',      'nuria.castano@example.org',    NULL,            false, true,  true,  false);

ALTER TABLE person ADD PRIMARY KEY (person), ADD UNIQUE (email);

-- How people type: telephone numbers in five ways, now and then a capital in an
-- address or two letters of a name the wrong way round.
CREATE FUNCTION pg_temp.typed_phone(phone text, question text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE pg_temp.dice('spelling ' || question, 5)
    WHEN 0 THEN regexp_replace(phone, '^\+4930(\d{5})', '030 \1-')
    WHEN 1 THEN regexp_replace(phone, '^\+4930(\d{5})', '+49 (0)30 \1 ')
    WHEN 2 THEN regexp_replace(phone, '^\+4930', '004930')
    WHEN 3 THEN regexp_replace(phone, '^\+4930(\d\d)(\d)', '(030) \1 \2')
    ELSE phone END;

CREATE FUNCTION pg_temp.typed_email(email text, question text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE pg_temp.dice('capitals ' || question, 8)
    WHEN 0 THEN upper(left(email, 1)) || substr(email, 2)
    WHEN 1 THEN replace(email, '@example', '@Example')
    ELSE email END;

CREATE FUNCTION pg_temp.typed_name(name text, question text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN pg_temp.dice('slip ' || question, 20) = 0
    THEN left(name, 1) || substr(name, 3, 1) || substr(name, 2, 1) || substr(name, 4)
    ELSE name END;

-- An address that is none.
CREATE FUNCTION pg_temp.spoilt_email(email text, question text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE pg_temp.dice('spoilt ' || question, 6)
    WHEN 0 THEN replace(email, '@', '')
    WHEN 1 THEN replace(email, '@', '@@')
    WHEN 2 THEN regexp_replace(email, '\.(\w+)$', ',\1')
    WHEN 3 THEN regexp_replace(email, '\.', '..')
    WHEN 4 THEN regexp_replace(email, '\.', ' ')
    ELSE 'undefined' END;
