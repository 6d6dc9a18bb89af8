"""What words in names of columns and tables say about the data: concept -> data class. In several languages."""

from __future__ import annotations

from seenby.attach.words import word_set
from seenby.model.classes import DataClass

_C = DataClass

COLUMNS: dict[DataClass, str] = {
    _C.CREDENTIAL: """
        password passwd passcrypt passsalt crypt
        passwort kennwort motdepasse mdp contrasena contrasenia clave senha wachtwoord haslo losenord
        mima parol passphrase passcode pwd pin pincode salt digest passworddigest passwordhash hashedpassword
        encryptedpassword crypted secret clientsecret otp otpsecret totp totpsecret mfa twofactor 2fa backupcode
        backupcodes recoverycode token accesstoken refreshtoken authtoken apikey apitoken sessionid sessiontoken
        sessionkey sessiondata csrf nonce privatekey secretkey signature credential credentials webauthn passkey
        publickey pubkey magiclink resettoken confirmationtoken invitetoken invitecode verificationcode
        securityquestion securityanswer keypair feedtoken rsstoken authcode authorizationcode oauthtoken bearer cookie
        devicesecret encryptionkey sharedsecret macaroon jwt challenge unlocktoken codeverifier codechallenge
        privkey accesskey loginkey loginhash activationkey activationcode stretchedpassword webhooksecret
    """,
    _C.BIOMETRIC: """
        face faceembedding facetemplate facedescriptor faceprint fingerprintimage fingerprinttemplate voiceprint iris
        retina biometric biometrie biometrisch embeddingface selfie livenessvideo facegeometry landmarks
    """,
    _C.PAYMENT: """
        iban bic swift cardnumber creditcard card cardlast4 last4 cardholder cvv cvc ccnumber pan bankaccount sortcode
        routingnumber kontonummer bankverbindung numerocompte numerocarte kaart rekening rekeningnummer konto nummer
        amount price total subtotal balance currency fee payout refund tax vat taxid vatid vatnumber payment paymentid
        paymentmethod invoice invoicenumber billing salary income wage betrag preis montant prix importe precio prezzo
        valor preco bedrag prijs kwota cena belopp pris saldo solde cost stripe stripecustomer stripecustomerid
        paypal paypalemail wallet walletaddress bitcoin ethereum tip donation coins credits spend revenue customerid
        subscriptionplan chargeid transactionid checkout
    """,
    _C.CONTACT: """
        email emails mail emailaddress mailaddress emailencrypted emailhash unconfirmedemail newemail oldemail
        canonicalemail normalizedemail recoveryemail contactemail publicemail replyto mailto courriel correo
        correoelectronico epost eposta sposti emailmd5 deliveryemail
        phone phonenumber mobile mobilenumber cell cellphone tel telephone telefon telefonnummer handynummer handy
        msisdn fax telefono celular telefone mobiel telefoonnummer mobil puhelin dianhua denwa shouji phonehash
        address addressline street streetaddress postaladdress shippingaddress billingaddress homeaddress adresse
        anschrift strasse hausnummer direccion calle indirizzo endereco rua adres straat ulica adress gata dizhi jusho
        rue voie zip zipcode postcode postalcode plz codepostal codigopostal cap cep kodpocztowy postnummer postnr
        matrixid msn icq skype whatsapp telegram signal wechat lineid jabber xmpp xmppaddress contact threepid
        medium3pid aim emergencycontact
    """,
    _C.IDENTITY: """
        username login handle nick nickname nickame screenname displayname fullname realname name firstname lastname
        middlename givenname familyname surname forename maidenname legalname preferredname vorname nachname
        benutzername anzeigename spitzname prenom nom nomcomplet pseudo pseudonyme identifiant nombre apellido
        apellidos usuario apodo cognome nomecompleto soprannome sobrenome apelido voornaam achternaam tussenvoegsel
        gebruikersnaam imie nazwisko fornamn efternamn anvandarnamn etunimi sukunimi xingming mingzi shimei namae
        furigana kana author authorname title honorific salutation anrede
        birth birthday birthdate dateofbirth dob birthyear yearofbirth born geburtsdatum geburtstag datenaissance
        naissance fechanacimiento nacimiento datanascita nascita datanascimento nascimento geboortedatum geboren
        dataurodzenia fodelsedatum fodelsedag syntymaaika shengri tanjobi age agegroup minor isminor adult isadult
        ageverified alter edad eta idade leeftijd wiek alder
        gender sex geschlecht genre sexe sexo genero sesso geslacht plec kon pronoun pronouns orientation
        sexualorientation religion ethnicity race nationality citizenship nationalitat maritalstatus familienstand
        ssn socialsecurity socialsecuritynumber nationalid nationalidnumber idnumber idcard passport passportnumber
        driverlicense driverslicense licensenumber personalausweis steuerid steuernummer svnummer nif nie dni cif cpf
        rg cnpj rut curp rfc bsn pesel nip personnummer cpr hetu codicefiscale fiscalcode insee nir sozialversicherung
        mynumber hukou shenfenzheng taxidentification healthinsurance insurancenumber medicalrecord diagnosis
        bloodtype disability avatar avatarurl avatarfile profilepicture profileimage profilephoto photo headerimage
        userpic gravatar portrait banner
        externalid externaluid providerid provideruid uid oauthuid facebookid googleid twitterid githubid appleid
        linkedinurl subjectid openid ssoid samlid ldapdn employeenumber customernumber membernumber studentid staffid
        school university employer company occupation job jobtitle profession education beruf empresa entreprise
        verified isprotected signaturetext actoruri actorurl profileurl homepage website url uri inboxurl
        outboxurl followersurl sharedinboxurl webfinger acct mxid matrixuserid
    """,
    _C.LOCATION: """
        ip ipaddress ipaddr remoteip remoteaddr clientip lastip signinip currentsigninip lastsigninip signupip
        registrationip ipv4 ipv6 ipnetwork cidr inet subnet hostname remotehost adresseip ipadresse direccionip
        latitude longitude lat lon lng long latlng latlong coordinates coordinate coord koordinaten geo geom geog
        geometry geolocation geohash geopoint geoip gps position point location loc lieu ort standort wohnort ubicacion
        luogo localizacao plaats miejsce plats altitude elevation heading bearing course city town village stadt ville
        ciudad citta cidade stad miasto kaupunki chengshi shi country countrycode land pays pais paese kraj maa guojia
        kuni region regioncode state province bundesland county district quarter neighbourhood neighborhood place
        placeid hometown birthplace geburtsort timezone tz tzid zeitzone fuseau zonahoraria fuso tijdzone utcoffset
        tile homelat homelon home wifi ssid bssid cellid celltower accuracy track trackpoint route homezoom
    """,
    _C.DEVICE: """
        useragent agent ua browser browsername device devicename deviceid devicetype devicemodel devicetoken pushtoken
        pushkey fcmtoken apnstoken registrationid imei imsi iccid meid serial serialnumber macaddress mac idfa gaid
        adid advertisingid idfv androidid fingerprint browserfingerprint devicefingerprint hardwareid installationid
        installid clientid os osname osversion platform platformversion appversion clientversion screen screenwidth
        screenheight resolution carrier modem geraet gerat appareil dispositivo apparaat urzadzenie enhet model
        visitorid manufacturer hwid endpoint p256dh
    """,
    _C.COMMUNICATION: """
        message messages msg messagebody messagetext body mailbody subject betreff sujet asunto oggetto assunto
        onderwerp temat amne nachricht mensaje messaggio mensagem bericht wiadomosc meddelande xiaoxi dm inbox chat
        draft attachment attachments transcript reply renderedcontent recipients tolist cclist bcc
        note notes notiz notas nota memo remark remarks reason grund raison motivo explanation complaint feedback
        internalnote adminnote moderatornote staffnote justification appealtext appeal
    """,
    _C.CONTENT: """
        bio biography about aboutme aboutus description beschreibung descripcion descrizione descricao beschrijving
        opis beskrivning content contents text inhalt contenu contenido contenuto conteudo inhoud tresc innehall
        comment kommentar commentaire comentario commento opmerking komentarz caption summary excerpt post raw cooked
        html markdown source rendered spoilertext cw contentwarning headline titel titre titulo titolo tytul
        signature motto tagline statustext customstatus answer question review poem lyrics story image imageurl video
        videourl audio media mediaurl file filename filepath filelocation originalfilename blurhash alttext alt
        thumbnail thumb hashtags link thumbnailurl tag tags keyword keywords topic emoji fields fieldvalue field slug
        value values options choices permalink embed oembed pollquestion
    """,
    _C.BEHAVIOUR: """
        lastlogin lastseen lastactive lastactivity lastsignin lastonline lastvisit lastvisited signincount logincount
        currentsigninat lastsigninat lastsigninip online presence presencestate idle search searchquery query
        searchterm suche recherche busqueda ricerca busca zoeken term history referrer referer referral landingpage utm
        utmsource utmcampaign utmmedium clicks click clickcount views viewcount watched watchtime playback progress
        dwell rating rate score interest interests preference preferences settings setting prefs options
        configuration language languages locale lang sprache langue idioma lingua taal jezyk sprak gengo yuyan
        theme color scheme notificationsettings notifylevel level reputation karma trustlevel points xp
        followercount followerscount followingcount postcount statusescount friendscount streak visits activity
        vote voted emojiname reaction like liked favourite favorite follow subscribed muted blocked bookmarked
        consent optin optout newsletter marketing segment cohort experiment variant abtest path page pageurl
        interestedin lookingfor loginat logouttime readat lastread lastreadat seenat clickedat openedat
    """,
}
"""Words, or words run together (``first_name`` is ``firstname``). One word may stand in several classes: the first
that matches in the order of ``ORDER`` wins for the same length."""

ORDER = tuple(COLUMNS)

_TABLE_WORDS: dict[DataClass, str] = {
    _C.CREDENTIAL: """
        token credential password otp secret apikey oauth webauthn passkey totp session refreshtoken accesstoken key
        authenticator twofactor 2fa recovery backupcode nonce auth authentication passwort certificate crosssigning
        keybackup securitykey authtoken grant
    """,
    _C.CONTACT: "contact addressbook addressbookentry phonebook useremail userphone emailaddress threepid",
    _C.BIOMETRIC: "face biometric voiceprint fingerprint faceprint",
    _C.PAYMENT: """
        payment invoice order transaction purchase wallet payout refund billing charge card subscription donation
        checkout cart sale price coupon ledger bid auction bestellung rechnung zahlung commande facture paiement pedido
        pago factura ordine pagamento fattura zamowienie platnosc betaling faktura kauf verkauf basket shipment
    """,
    _C.COMMUNICATION: """
        message chat dm directmessage privatemessage conversation inbox outbox mail email ticket report notification
        abuse appeal complaint flag call room thread feedback draft invite invitation support warning moderation
        nachricht mensaje messaggio mensagem bericht wiadomosc meddelande gespraech unterhaltung strike reviewable
        scheduledmessage announcementdismissal note chatmember groupchat
        notificationsetting mailbox attachment incomingemail emaillog
    """,
    _C.DEVICE: "device push pushsubscription pushtoken client installation browser useragent pusher",
    _C.LOCATION: """
        location position checkin trace gps login loginactivity ip address place track tracepoint geo visitlocation
        route trip standort adresse direccion ipaddress userip
    """,
    _C.CONTENT: """
        post status video photo picture image comment article review media medium upload story topic album playlist
        song blog page wiki revision caption diary entry document file poll question answer beitrag kommentar wpis
        publication mediaattachment changeset node way relation changesetcomment diaryentry listing product item ad
        offer quote gallery reply bericht artikel annonce anuncio annuncio produkt producto produit
    """,
    _C.IDENTITY: """
        user account member profile person people customer identity verification kyc userprofile userinfo
        externalaccount         linkedaccount connection alias username userfield customfield demographics
    """,
    _C.BEHAVIOUR: """
        like favourite favorite follow follower view watch history click vote reaction bookmark search activity read
        block mute visit event log hide ignore impression rating interaction preference setting badge filter friend
        friendship membership subscription relationship feed timeline presence stat usage audit warned karma score
    """,
}

TABLES: dict[str, DataClass] = {
    word: data_class for data_class, text in reversed(list(_TABLE_WORDS.items())) for word in text.split()
}
"""What a table called so is about; the first class in ``_TABLE_WORDS`` wins."""

HARMLESS_TABLES = word_set("""
    country currency language locale timezone emoji customemoji migration schemamigration version setting sitesetting
    config configuration category tag hashtag role permission plan genre unit color theme translation template
    arinternalmetadata flywayschemahistory lock job queue cron schedule counter sequence plugin extension feature
    featureflag stylesheet font holiday continent brand sound licence license badge rank level reservedusername
    land waehrung sprache kategorie pays devise langue pais moneda idioma categoria kraj waluta jezyk kategoria
    instance server domain domainblock site migrationhistory stopword denylist
    """)
"""Tables of the platform itself: about nobody where nothing in them leads to a person."""

HARMLESS_TEXT = word_set("""
    code slug iso iso2 iso3 currency currencycode locale lang languagecode version checksum sha256 sha1 md5 etag mime
    mimetype contenttype type kind status state format icon colour color unit level shortcode symbol schemaversion
    sortorder algorithm direction alignment extension fileextension encoding charset visibility severity
    migration installedby script licence license
    """)
"""Text columns that are harmless in a table of nobody."""

BIRTH_WORDS = word_set("""
    birth birthday birthdate dateofbirth dob born geburtsdatum geburtstag datenaissance naissance fechanacimiento
    nacimiento datanascita nascita datanascimento nascimento geboortedatum geboren dataurodzenia fodelsedatum
    fodelsedag syntymaaika shengri tanjobi
    """)
"""Words for the day on which somebody was born; all of them stand in COLUMNS too."""

MINOR_WORDS = word_set("minor isminor")
